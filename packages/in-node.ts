import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

// The npm packages that are loaded with their first use: `#packages` of package.json. Bundlers would not see these, and
// take `in-bundle.ts`: only Node.js knows the condition "node-addons". That file runs in Node.js, too, but takes 2 ms
// longer, since it imports CommonJS.
const require = createRequire(import.meta.url);

export const consul = (): typeof import('consul') => require('consul');
export const grpcJs = (): typeof import('@grpc/grpc-js') => require('@grpc/grpc-js');
export const msgpack = (): typeof import('@msgpack/msgpack') => require('@msgpack/msgpack');
export const protobufjs = (): typeof import('protobufjs') => require('protobufjs');
export const protojson = (): typeof import('protobufjs/ext/protojson.js') =>
  require('protobufjs/ext/protojson.js');
export const protoDescriptors = (): typeof import('protobufjs/ext/descriptor.js') =>
  require('protobufjs/ext/descriptor.js');

/** A .proto file that comes with protobufjs: where it is, or what is in it. */
export type GoogleProto =
  | { readonly path: string }
  | { readonly descriptor: import('protobufjs').INamespace };

/** @param name such as `google/protobuf/descriptor.proto`; a file of that name need not be there */
export const googleProto = (name: string): GoogleProto | undefined => ({
  path: join(dirname(require.resolve('protobufjs/package.json')), name),
});
