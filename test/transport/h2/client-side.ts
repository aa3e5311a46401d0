import type { RpcError } from 'lictor';
import { ClientConnection, type ClientConnectionEvents } from '../../../transport/h2/client-connection.js';
import { PingPace } from '../../../transport/h2/keepalive.js';
import type { Cancellable, OutgoingCall, UnaryCall } from '../../../transport/transport.js';
import type { WireMethod } from '../../../transport/wire-method.js';
import { FakeSocket, turn } from './fake-socket.js';
import type { Frame } from './frames.js';

const codec = { encode: (message: unknown) => message as Buffer, decode: (bytes: Uint8Array) => bytes };
export const rawEcho = {
  method: { path: '/t/Echo' },
  contentType: 'application/grpc+raw',
  request: codec,
  reply: codec,
} as unknown as WireMethod;

export type Outcome = { error: RpcError | undefined; reply: Buffer | undefined };

export type ClientSide = {
  readonly socket: FakeSocket;
  readonly connection: ClientConnection;
  readonly events: { ready: number; leaving: number; room: number; closed: RpcError[] };
  sent(type?: number): Frame[];
  receive(...chunks: Uint8Array[]): Promise<void>;
  /** Starts a unary call; its outcomes, of which there should be one in the end, are in the list. */
  call(options?: { deadline?: number; request?: Buffer; wire?: WireMethod }): {
    outcomes: Outcome[];
    call: Cancellable;
  };
  stream(requests: AsyncIterable<unknown>): ReturnType<ClientConnection['stream']>;
};

export function clientSide(
  options: { maxMessageBytes?: number; pace?: PingPace; firstId?: number } = {},
): ClientSide {
  const socket = new FakeSocket();
  const events: ClientSide['events'] = { ready: 0, leaving: 0, room: 0, closed: [] };
  const on: ClientConnectionEvents = {
    onReady: () => events.ready++,
    onLeaving: () => events.leaving++,
    onRoom: () => events.room++,
    onClosed: (error) => events.closed.push(error),
    onUnprocessed: () => undefined,
  };
  const connection = new ClientConnection(
    socket.asSocket,
    'x',
    {
      address: '127.0.0.1:1',
      tls: undefined,
      maxMessageBytes: options.maxMessageBytes ?? 4 * 1024 * 1024,
      compression: 'identity',
      onReachable() {},
    },
    options.pace ?? new PingPace(),
    on,
    options.firstId,
  );
  const outgoing = (wire: WireMethod, deadline?: number): OutgoingCall => ({
    wire,
    metadata: undefined,
    deadline,
  });
  return {
    socket,
    connection,
    events,
    sent: (type) => socket.frames.filter((one) => type === undefined || one.type === type),
    async receive(...chunks) {
      socket.receive(...chunks);
      await turn();
    },
    call({ deadline, request = Buffer.from('hi'), wire = rawEcho } = {}) {
      const outcomes: Outcome[] = [];
      const call: UnaryCall = {
        ...outgoing(wire, deadline),
        request,
        wantsMetadata: false,
        done: (error, reply) => outcomes.push({ error, reply: reply as Buffer | undefined }),
      };
      return { outcomes, call: connection.unary(call, request) };
    },
    stream: (requests) => connection.stream({ ...outgoing(rawEcho), ended() {} }, requests),
  };
}
