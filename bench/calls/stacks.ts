import type { Stack } from './stack.js';

export type Entry = {
  readonly name: string;
  /** The package whose version counts. */
  readonly package: string | undefined;
  /**
   * Each process loads its own stack and no other, so that cold starts are comparable.
   * @param build folder of the Lictor whose stack it is
   */
  load(build: string): Promise<Stack>;
  /** Kinds it cannot do, by name, with the reason. */
  readonly cannot: Readonly<Record<string, string>>;
};

type Variant = { transport: 'h2' | 'grpc-js'; fixed?: boolean; interceptors?: boolean };

const NOT_HTTP2 = 'does not speak HTTP/2';
const FIXED = 'measured with a fixed target, where it is the same';
const BELOW = 'measured without Lictor: it is a matter of grpc-js';
const MOLECULER_STREAMS = 'its streams are of Node, without flow control between nodes';

/** A stack of Lictor; `interceptors` are two that do nothing. */
const ours =
  ({ interceptors = false, ...variant }: Variant) =>
  async (build: string): Promise<Stack> => {
    const [{ lictor, passOn }, { loadBuild }] = await Promise.all([
      import('./stacks/lictor.js'),
      import('../build.js'),
    ]);
    return lictor(await loadBuild(build), {
      ...variant,
      interceptors: interceptors ? [passOn, passOn] : [],
    });
  };

/** Every stack; ratios are to the one named BASELINE. */
export const BASELINE = '@grpc/grpc-js';
export const OURS = 'lictor h2';
export const OURS_FIXED = 'lictor h2, fixed target';
export const stacks: readonly Entry[] = [
  {
    name: OURS,
    package: undefined,
    load: ours({ transport: 'h2' }),
    cannot: { 'unary, TLS': FIXED, 'server alone': FIXED, memory: FIXED },
  },
  {
    name: 'lictor h2, interceptors',
    package: undefined,
    load: ours({ transport: 'h2', interceptors: true }),
    cannot: { 'unary, TLS': FIXED, memory: FIXED },
  },
  {
    name: OURS_FIXED,
    package: undefined,
    load: ours({ transport: 'h2', fixed: true }),
    cannot: {},
  },
  {
    name: 'lictor grpc-js',
    package: undefined,
    load: ours({ transport: 'grpc-js' }),
    cannot: { 'unary, TLS': BELOW, memory: BELOW },
  },
  {
    name: 'lictor grpc-js, fixed target',
    package: undefined,
    load: ours({ transport: 'grpc-js', fixed: true }),
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

/** Those whose name begins with `lictor`. */
export const ourStacks: readonly Entry[] = stacks.filter(({ name }) => name.startsWith('lictor '));
