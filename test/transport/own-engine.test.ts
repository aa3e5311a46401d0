import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Cancellable,
  Client,
  type Connection,
  type ConnectOptions,
  defineService,
  type Engine,
  type IncomingUnary,
  type Listener,
  type ListenOptions,
  Metadata,
  type ReplyStream,
  type Route,
  type Routes,
  RpcError,
  Server,
  Status,
  type StreamCall,
  silentLogger,
  type UnaryCall,
  unary,
  type WireMethod,
} from 'lictor';

// An engine written from 'lictor' alone, as its users would: the compiler proves that every type is there.

const servers = new Map<string, Routes>();

const directly: Engine = {
  name: 'directly',
  connect: (options: ConnectOptions): Connection => ({
    unary: (call) => carry(call, servers.get(options.address)?.get(call.wire.method.path)),
    stream: (_call: StreamCall): ReplyStream => {
      throw new RpcError(Status.UNIMPLEMENTED, 'no streams');
    },
    close: async () => {},
  }),
  async listen({ address, routes }: ListenOptions): Promise<Listener> {
    servers.set(address, routes);
    return {
      address,
      async close() {
        servers.delete(address);
      },
    };
  },
};

function carry(call: UnaryCall, route: Route | undefined): Cancellable {
  process.nextTick(() => {
    const fail = (error: RpcError) => call.done(error, undefined, undefined, undefined);
    const wire: WireMethod | RpcError | undefined = route?.wire('json');
    if (!route || !wire) return fail(new RpcError(Status.UNAVAILABLE, 'nobody is there'));
    if (wire instanceof RpcError) return fail(wire);
    const incoming: IncomingUnary = {
      metadata: call.metadata ?? new Metadata(),
      metadataBytes: 0,
      peer: { address: 'directly' },
      deadline: call.deadline,
      trailer: undefined,
      running: undefined,
      requestBytes: 0,
      requestCompressed: false,
      compression: 'identity',
      sendHeader() {},
      reply: (message) =>
        call.done(undefined, call.wire.reply.decode(wire.reply.encode(message)), undefined, undefined),
      fail,
    };
    route.unary(incoming, wire.request.decode(call.wire.request.encode(call.request)));
  });
  return { cancel() {} };
}

const Echo = defineService('own.Echo', { echo: unary<{ text: string }, { text: string }>() });

test('an engine that somebody else wrote carries calls and errors', async () => {
  const server = new Server({ transport: directly, address: '127.0.0.1:7', logger: silentLogger });
  server.registerService(Echo, {
    echo: ({ text }) => {
      if (text === '') throw new RpcError(Status.INVALID_ARGUMENT, 'empty');
      return { text };
    },
  });
  await server.serve();
  await using client = new Client({ transport: directly, target: server.address, logger: silentLogger });
  assert.deepEqual(await client.service(Echo).echo({ text: 'hi' }), { text: 'hi' });
  await assert.rejects(client.service(Echo).echo({ text: '' }), { code: Status.INVALID_ARGUMENT });
  await server.close();
  await assert.rejects(client.service(Echo).echo({ text: 'hi' }), { code: Status.UNAVAILABLE });
});
