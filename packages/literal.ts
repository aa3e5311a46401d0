import type { INamespace } from 'protobufjs';

// What bundlers see: `scripts/bundle.ts` makes a CommonJS module of this file, in which all of them follow `require`
// of a literal, and evaluate the package with the first call.

export const consul = (): typeof import('consul') => require('consul');
export const grpcJs = (): typeof import('@grpc/grpc-js') => require('@grpc/grpc-js');
export const msgpack = (): typeof import('@msgpack/msgpack') => require('@msgpack/msgpack');
export const protobufjs = (): typeof import('protobufjs') => require('protobufjs');
export const protojson = (): typeof import('protobufjs/ext/protojson.js') =>
  require('protobufjs/ext/protojson.js');
export const protoDescriptors = (): typeof import('protobufjs/ext/descriptor.js') =>
  require('protobufjs/ext/descriptor.js');

/** The files of google/protobuf/ that are not in protobufjs itself. */
export const descriptors: Readonly<Record<string, () => INamespace>> = {
  api: () => require('protobufjs/google/protobuf/api.json'),
  descriptor: () => require('protobufjs/google/protobuf/descriptor.json'),
  source_context: () => require('protobufjs/google/protobuf/source_context.json'),
  type: () => require('protobufjs/google/protobuf/type.json'),
};
