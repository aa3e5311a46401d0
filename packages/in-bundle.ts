import nodeModule from 'node:module';
import { lazily } from '../rpc/lazily.js';
import type { GoogleProto } from './in-node.js';
import * as literal from './literal.js';

// The npm packages that are loaded with their first use, where a bundler has put them: the default of `#packages` in
// package.json.

const nodeRequire = lazily(() => nodeModule.createRequire(import.meta.url ?? process.execPath));

/**
 * Packages in CommonJS `require` modules of Node.js, and a bundle in ESM has no `require`: esbuild leaves the call, to
 * what is global. So there is one while a package is loaded, and never longer.
 */
function load<T>(make: () => T): T {
  if ('require' in globalThis) return make();
  const scope = globalThis as { require?: NodeJS.Require };
  scope.require = nodeRequire();
  try {
    return make();
  } finally {
    delete scope.require;
  }
}

export const consul = () => load(literal.consul);
export const grpcJs = () => load(literal.grpcJs);
export const msgpack = () => load(literal.msgpack);
export const protobufjs = () => load(literal.protobufjs);
export const protojson = () => load(literal.protojson);
export const protoDescriptors = () => load(literal.protoDescriptors);

export function googleProto(name: string): GoogleProto | undefined {
  const file = /^google\/protobuf\/(\w+)\.proto$/.exec(name)?.[1];
  if (file === undefined || !Object.hasOwn(literal.descriptors, file)) return undefined;
  return { descriptor: load(literal.descriptors[file]!) };
}
