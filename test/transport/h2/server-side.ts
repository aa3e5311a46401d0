import { RpcError, silentLogger } from 'lictor';
import { Budget } from '../../../transport/h2/budget.js';
import { HpackDecoder } from '../../../transport/h2/hpack-decoder.js';
import { ServerConnection } from '../../../transport/h2/server-connection.js';
import { pump } from '../../../transport/pump.js';
import type { IncomingUnary, ListenOptions, Route } from '../../../transport/transport.js';
import type { WireMethod } from '../../../transport/wire-method.js';
import { FakeSocket, turn } from './fake-socket.js';
import { type Frame, parse } from './frames.js';

/** What the handlers of a test have seen. */
export type Handled = {
  unary: { request: Buffer; call: IncomingUnary }[];
  cancelled: RpcError[];
  requests: Buffer[];
  ended: number;
  failures: unknown[];
};

const codec = { encode: (message: unknown) => message as Buffer, decode: (bytes: Uint8Array) => bytes };
const wire = {
  method: { path: '/t/Any' },
  contentType: 'application/grpc+raw',
  request: codec,
  reply: codec,
} as unknown as WireMethod;

/**
 * `/t/Echo` answers at once, `/t/Hang` when the test says so, `/t/Big` with `bigBytes`,
 * `/t/Chat` echoes a stream, `/t/Slow` is a stream that is never read.
 */
export function routes(handled: Handled, bigBytes = 1_000_000): Map<string, Route> {
  const unary = (answer: (call: IncomingUnary, request: Buffer) => void): Route => ({
    kind: 'unary',
    wire: () => wire,
    unary(call, request) {
      handled.unary.push({ request: request as Buffer, call });
      call.running = { cancel: (error) => handled.cancelled.push(error) };
      answer(call, request as Buffer);
    },
    stream() {
      throw new Error('not a stream');
    },
  });
  const stream = (answer: (requests: AsyncIterable<unknown>) => AsyncIterable<unknown>): Route => ({
    kind: 'bidi',
    wire: () => wire,
    unary() {
      throw new Error('not unary');
    },
    stream(call, requests) {
      const stop = pump(answer(requests), {
        write: (reply) => call.write(reply),
        end: () => call.end(),
        fail: (reason) => call.fail(RpcError.from(reason)),
      });
      call.running = {
        cancel(error) {
          handled.cancelled.push(error);
          void stop();
        },
      };
    },
  });
  const big = Buffer.alloc(bigBytes, 'b');
  return new Map([
    ['/t/Echo', unary((call, request) => call.reply(request))],
    ['/t/Hang', unary(() => {})],
    ['/t/Big', unary((call) => call.reply(big))],
    [
      '/t/Chat',
      stream(async function* (requests) {
        try {
          for await (const one of requests) {
            handled.requests.push(one as Buffer);
            yield one;
          }
          handled.ended++;
        } catch (error) {
          handled.failures.push(error);
          throw error;
        }
      }),
    ],
    [
      '/t/Slow',
      stream(async function* () {
        await new Promise(() => {});
      }),
    ],
  ]);
}

export const nothingHandled = (): Handled => ({
  unary: [],
  cancelled: [],
  requests: [],
  ended: 0,
  failures: [],
});

export type ServerSide = {
  readonly socket: FakeSocket;
  readonly connection: ServerConnection;
  readonly budget: Budget;
  readonly handled: Handled;
  /** Frames of one type that were sent, or all of them. */
  sent(type?: number): Frame[];
  /** Gives the peer's bytes to the connection and waits for what it says to them. */
  receive(...chunks: Uint8Array[]): Promise<void>;
  /** What was sent for a stream: the fields of its HEADERS, its DATA, and the code of its reset. */
  answer(id: number): { fields: string[]; body: Buffer; reset: number | undefined };
  /** The code of the GOAWAY that ended the connection. */
  readonly error: number | undefined;
};

export function serverSide(
  options: Partial<ListenOptions> & { budget?: Budget; bigBytes?: number } = {},
): ServerSide {
  const socket = new FakeSocket();
  const handled = nothingHandled();
  const budget = options.budget ?? new Budget(10_000, 64 * 1024 * 1024);
  const connection = new ServerConnection(
    socket.asSocket,
    {
      address: '127.0.0.1:0',
      tls: undefined,
      routes: routes(handled, options.bigBytes),
      maxMessageBytes: 4 * 1024 * 1024,
      maxMetadataBytes: 16 * 1024,
      maxStreamsPerConnection: 1_000,
      maxConnectionsPerAddress: 256,
      compression: 'identity',
      logger: silentLogger,
      ...options,
    },
    budget,
    () => {},
  );
  return {
    socket,
    connection,
    budget,
    handled,
    sent: (type) => socket.frames.filter((one) => type === undefined || one.type === type),
    async receive(...chunks) {
      socket.receive(...chunks);
      await turn();
    },
    answer: (id) => answerIn(socket.frames, id),
    get error() {
      return socket.frames
        .find(({ type, payload }) => type === 7 && payload.readUInt32BE(4) !== 0)
        ?.payload.readUInt32BE(4);
    },
  };
}

function answerIn(frames: Frame[], id: number) {
  const decoder = new HpackDecoder();
  const fields: string[] = [];
  const body: Buffer[] = [];
  let reset: number | undefined;
  for (const frame of frames) {
    const list = frame.type === 1 ? decoder.decode(frame.payload) : [];
    if (frame.id !== id) continue;
    fields.push(...(list ?? []));
    if (frame.type === 0) body.push(frame.payload);
    if (frame.type === 3) reset = frame.payload.readUInt32BE(0);
  }
  return { fields, body: Buffer.concat(body), reset };
}

/** What the server has said on a real socket. */
export const framesOf = (chunks: Buffer[]): Frame[] => parse(Buffer.concat(chunks)).frames;
