import { createSecureServer, createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { createFileRegistry, type DescService, fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { createClient } from '@connectrpc/connect';
import { connectNodeAdapter, createGrpcTransport } from '@connectrpc/connect-node';
import { handlers, SERVICE } from '../service.js';
import { type Caller, type Stack, type Text, TIMEOUT_MS } from '../stack.js';
import { DESCRIPTOR } from './connect-descriptor.js';

type Methods = {
  say(request: Text): Promise<Text>;
  carry(request: { data: Uint8Array }): Promise<{ data: Uint8Array }>;
  count(request: { messages: number }): AsyncIterable<Text>;
  chat(requests: AsyncIterable<Text>): AsyncIterable<Text>;
};

const service = (): DescService => {
  const set = fromBinary(FileDescriptorSetSchema, Buffer.from(DESCRIPTOR, 'base64'));
  return createFileRegistry(set).getService(SERVICE)!;
};

/** connect-node with its gRPC transport. Both sides leave compression off, as the other stacks do. */
export const connectNode: Stack = {
  async serve({ tls }) {
    const listener = connectNodeAdapter({
      routes: (router) => void router.service(service(), handlers as never),
      acceptCompression: [],
    });
    const server = tls ? createSecureServer({ ...tls }, listener) : createServer({}, listener);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `127.0.0.1:${(server.address() as AddressInfo).port}`;
  },
  async open(address, { tls }) {
    const transport = createGrpcTransport({
      baseUrl: `${tls ? 'https' : 'http'}://${address}`,
      acceptCompression: [],
      defaultTimeoutMs: TIMEOUT_MS,
      ...(tls ? { nodeOptions: { ca: tls.cert } } : {}),
    });
    const client = createClient(service(), transport) as unknown as Methods;
    return {
      say: (text) => client.say({ text }),
      carry: ({ data }) => client.carry({ data }),
      count: (messages) => client.count({ messages }),
      chat: (requests) => client.chat(requests),
    } satisfies Caller;
  },
};
