import { createRequire } from 'node:module';
import { lazily } from '../rpc/lazily.js';

const require = createRequire(import.meta.url);

/** `protobufjs`, loaded with the first .proto: a program that speaks only JSON or MessagePack starts without it. */
export const protobufjs = lazily((): typeof import('protobufjs') => require('protobufjs'));

/** Its proto3 JSON, which few calls travel as. */
export const protojson = lazily((): typeof import('protobufjs/ext/protojson.js') =>
  require('protobufjs/ext/protojson.js'),
);
