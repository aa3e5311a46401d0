import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type ServerFeature, serverCannot } from '../../examples/interop/not-possible.js';
import { type Python, pythonWithGrpc } from '../../scripts/python.js';
import { root } from '../../scripts/root.js';
import { UNCOMPRESSED, UNSEEN } from './grpc-js/handlers.js';
import type { Command } from './process.js';

/** An implementation of both sides of the interop tests, as programs. */
export interface Peer {
  readonly name: string;
  /** Why its client cannot run a case; undefined when it can. */
  clientCannot(name: string): string | undefined;
  /** Why its server cannot do what some cases need; undefined when it can. */
  serverCannot(feature: ServerFeature): string | undefined;
  /**
   * The program of one side, with the options given to it.
   * @param folder for what it needs made
   */
  command(side: 'server' | 'client', options: readonly string[], folder: string): Promise<Command>;
}

const env = process.env;
const node = (folder: string, side: string, options: readonly string[]): Command => ({
  file: process.execPath,
  args: [join(root, 'dist', folder, `${side}.js`), ...options],
  env,
});

/** Lictor over one of its transports. */
export const lictor = (transport: string): Peer => ({
  name: `Lictor (${transport})`,
  clientCannot: () => undefined,
  serverCannot: (feature) => serverCannot(transport, feature),
  command: async (side, options) => node('examples/interop', side, ['--transport', transport, ...options]),
});

const NO_COMPRESSION = 'grpclib has no compression';

const grpcJs: Peer = {
  name: 'plain grpc-js',
  clientCannot: only('client_compressed_streaming', 'the client compresses all of its requests or none'),
  serverCannot: (feature) =>
    ({ takeCompressedRequests: undefined, seeCompressedRequests: UNSEEN, compressSomeReplies: UNCOMPRESSED })[
      feature
    ],
  command: async (side, options) => node('test/interop/grpc-js', side, options),
};

/** On gRPC's C core. */
export const grpcio: Peer = {
  name: 'Python grpcio',
  clientCannot: only('client_compressed_streaming', 'grpcio compresses all messages of a call or none'),
  serverCannot: only('seeCompressedRequests', 'grpcio does not show whether a request was compressed'),
  command: (side, options, folder) => python('grpcio_peer.py', [side, ...options], folder),
};

/** Framing made by hand on python3-h2; it sees and sets every flag. */
export const pythonH2: Peer = {
  name: 'Python h2',
  clientCannot: () => undefined,
  serverCannot: () => undefined,
  command: (side, options, folder) => python('h2_peer.py', [side, ...options], folder),
};

/** gRPC on Python's own HTTP/2. */
const grpclib: Peer = {
  name: 'Python grpclib',
  clientCannot: (name) =>
    name.includes('client_compressed') || name.startsWith('compressed_') ? NO_COMPRESSION : undefined,
  serverCannot: () => NO_COMPRESSION,
  command: (side, options, folder) => python('grpclib_peer.py', [side, ...options], folder),
};

/** Everyone else whom Lictor has to understand. */
export const others: readonly Peer[] = [grpcJs, grpcio, grpclib, pythonH2];

/** What each folder needs made is made once, since a program that is starting reads it. */
const made = new Map<string, Promise<Python>>();

async function python(script: string, args: readonly string[], folder: string): Promise<Command> {
  const making = made.get(folder) ?? makeMessages(folder);
  made.set(folder, making);
  const { python: file, env } = await making;
  return {
    file,
    args: [join(root, 'test/interop/python', script), ...args],
    env: {
      ...env,
      PYTHONPATH: [env.PYTHONPATH, folder].filter(Boolean).join(':'),
      PYTHONDONTWRITEBYTECODE: '1',
    },
  };
}

async function makeMessages(folder: string): Promise<Python> {
  const python = await pythonWithGrpc();
  const protos = join(root, 'examples/interop/proto/grpc/testing');
  // Without the folders of its package, which would hide the one that grpcio has: `grpc`.
  const args = ['-I', protos, `--python_out=${folder}`, 'messages.proto'];
  await promisify(execFile)(python.protoc, args, { env: python.env });
  return python;
}

function only(one: string, reason: string): (asked: string) => string | undefined {
  return (asked) => (asked === one ? reason : undefined);
}
