import { connect } from 'node:http2';
import { setTimeout as sleep } from 'node:timers/promises';
import { createFileRegistry, type DescService, fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { createClient } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { Client, type EngineName, loadProto, Server, silentLogger } from 'lictor';
import { DESCRIPTOR } from '../../bench/calls/stacks/connect-descriptor.js';
import { root } from '../../scripts/root.js';
import { chaosProxy } from '../faults/chaos-proxy.js';

type Text = { text: string };
/** Sends a stream of texts; rejects when the call fails. */
type Chat = (texts: AsyncIterable<Text>) => Promise<void>;
type Opened = { readonly chat: Chat; close(): Promise<void> | void };

const clients = {
  'grpc-js': (address: string) => ofLictor(address, 'grpc-js'),
  lictor: (address: string) => ofLictor(address, 'h2'),
  'connect-node': (address: string): Opened => {
    const set = fromBinary(FileDescriptorSetSchema, Buffer.from(DESCRIPTOR, 'base64'));
    const service = createFileRegistry(set).getService('bench.Bench') as DescService;
    const transport = createGrpcTransport({ baseUrl: `http://${address}` });
    const client = createClient(service, transport) as unknown as {
      chat(requests: AsyncIterable<Text>): AsyncIterable<Text>;
    };
    return { chat: (texts) => readAll(client.chat(texts)), close() {} };
  },
  'node:http2': (address: string): Opened => {
    const session = connect(`http://${address}`);
    session.on('error', () => {});
    return { chat: (texts) => byHand(session, texts), close: () => session.destroy() };
  },
} satisfies Record<string, (address: string) => Opened>;

export type InterruptedClient = keyof typeof clients;

/** Calls whose requests break off after none or one, 0 to 5 ms later; how they looked to the handler. */
export async function interruptedRequests(options: {
  client: InterruptedClient;
  transport: EngineName;
  calls: number;
  /** Of a line between both. @default no line */
  latencyMs?: number;
}): Promise<{ whole: number; broken: number }> {
  const { transport, calls, latencyMs } = options;
  const seen = { whole: 0, broken: 0 };
  const server = new Server({ transport, logger: silentLogger, graceMs: 0 });
  server.registerService(bench(), {
    say: (request) => request,
    carry: (request) => request,
    async *count() {},
    async *chat(requests) {
      let isWhole = false;
      try {
        for await (const request of requests as AsyncIterable<unknown>) yield request;
        isWhole = true;
      } finally {
        if (isWhole) seen.whole++;
        else seen.broken++;
      }
    },
  });
  await server.serve();
  await using proxy = latencyMs === undefined ? undefined : await chaosProxy(server.address, { latencyMs });
  const client = clients[options.client](proxy?.address ?? server.address);
  for (let i = 0; i < calls; i++) {
    await client.chat(breakingOff(i % 2, i % 6)).then(
      () => Promise.reject(new Error('a call whose requests broke off has ended well')),
      () => {},
    );
  }
  // What is still under way: a cancellation is held for 5 ms, and a line delays it.
  await sleep(50);
  await client.close();
  await server.closeNow();
  return seen;
}

async function* breakingOff(texts: number, ms: number): AsyncGenerator<Text, void> {
  for (let i = 0; i < texts; i++) yield { text: 'hi' };
  if (ms > 0) await sleep(ms);
  throw new Error('the source of the requests has failed');
}

const bench = () => loadProto(`${root}/bench/calls/bench.proto`).service('bench.Bench');

function ofLictor(address: string, transport: EngineName): Opened {
  const client = new Client({ target: address, transport, logger: silentLogger });
  const service = client.service(bench());
  return {
    chat: (texts) => readAll(service.chat!(texts) as unknown as AsyncIterable<unknown>),
    close: () => client.close(),
  };
}

async function readAll(replies: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of replies);
}

/** gRPC as one writes it on node:http2: cancelled as its documentation says. */
async function byHand(session: ReturnType<typeof connect>, texts: AsyncIterable<Text>): Promise<void> {
  const stream = session.request({
    ':method': 'POST',
    ':path': '/bench.Bench/Chat',
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  stream.on('error', () => {});
  stream.resume();
  try {
    for await (const { text } of texts) {
      const bytes = Buffer.from(
        `\0\0\0\0${String.fromCharCode(text.length + 2)}\n${String.fromCharCode(text.length)}${text}`,
      );
      stream.write(bytes);
    }
    stream.end();
  } catch (reason) {
    stream.close(8);
    throw reason;
  }
}
