import type { Stack } from './stack.js';

export type Entry = {
  readonly name: string;
  /** The package whose version counts. */
  readonly package: string | undefined;
  /** Each process loads its own stack and no other, so that cold starts are comparable. */
  load(): Promise<Stack>;
  /** Kinds it cannot do, by name, with the reason. */
  readonly cannot: Readonly<Record<string, string>>;
};

const NOT_HTTP2 = 'does not speak HTTP/2';
const FIXED = 'measured with a fixed target, where it is the same';
const BELOW = 'measured without Lictor: it is a matter of grpc-js';
const MOLECULER_STREAMS = 'its streams are of Node, without flow control between nodes';

/** Every stack; ratios are to the one named BASELINE. */
export const BASELINE = '@grpc/grpc-js';
export const OURS = 'lictor h2';
export const OURS_FIXED = 'lictor h2, fixed target';
export const stacks: readonly Entry[] = [
  {
    name: OURS,
    package: undefined,
    load: async () => (await import('./stacks/lictor.js')).h2,
    cannot: { 'unary, TLS': FIXED, 'server alone': FIXED, memory: FIXED },
  },
  {
    name: 'lictor h2, interceptors',
    package: undefined,
    load: async () => (await import('./stacks/lictor.js')).h2Interceptors,
    cannot: { 'unary, TLS': FIXED, memory: FIXED },
  },
  {
    name: OURS_FIXED,
    package: undefined,
    load: async () => (await import('./stacks/lictor.js')).h2Fixed,
    cannot: {},
  },
  {
    name: 'lictor grpc-js',
    package: undefined,
    load: async () => (await import('./stacks/lictor.js')).grpcJs,
    cannot: { 'unary, TLS': BELOW, memory: BELOW },
  },
  {
    name: 'lictor grpc-js, fixed target',
    package: undefined,
    load: async () => (await import('./stacks/lictor.js')).grpcJsFixed,
    cannot: { 'unary, TLS': BELOW, memory: BELOW },
  },
  {
    name: BASELINE,
    package: '@grpc/grpc-js',
    load: async () => (await import('./stacks/grpc-js.js')).grpcJs,
    cannot: {},
  },
  {
    name: 'nice-grpc',
    package: 'nice-grpc',
    load: async () => (await import('./stacks/nice-grpc.js')).niceGrpc,
    cannot: {},
  },
  {
    name: 'connect-node',
    package: '@connectrpc/connect-node',
    load: async () => (await import('./stacks/connect-node.js')).connectNode,
    cannot: {},
  },
  {
    name: 'moleculer',
    package: 'moleculer',
    load: async () => (await import('./stacks/moleculer.js')).moleculer,
    cannot: {
      'server alone': NOT_HTTP2,
      'unary, TLS': 'its TCP transporter has no TLS',
      'server stream': MOLECULER_STREAMS,
      bidi: MOLECULER_STREAMS,
      memory: 'a connection is a whole node',
    },
  },
  {
    name: 'node:http2',
    package: undefined,
    load: async () => (await import('./stacks/node-http2.js')).nodeHttp2,
    cannot: {},
  },
  {
    name: 'raw socket echo',
    package: undefined,
    load: async () => (await import('./stacks/raw-socket.js')).rawSocket,
    cannot: {
      'server alone': NOT_HTTP2,
      'server stream': 'has no streams',
      bidi: 'has no streams',
    },
  },
];
