import { createRequire } from 'node:module';
import { lazily } from '../rpc/lazily.js';

const require = createRequire(import.meta.url);

/** `protobufjs`, loaded with the first .proto: a program that speaks only JSON or MessagePack starts without it. */
export const protobufjs = lazily((): typeof import('protobufjs') => require('protobufjs'));

/** Its proto3 JSON, which few calls travel as. */
export const protojson = lazily((): typeof import('protobufjs/ext/protojson.js') =>
  require('protobufjs/ext/protojson.js'),
);

/** What reads descriptors, which only definitions of others bring; it also adds `Root.fromDescriptor`. */
export const descriptors = lazily((): typeof import('protobufjs/ext/descriptor.js') =>
  require('protobufjs/ext/descriptor.js'),
);
