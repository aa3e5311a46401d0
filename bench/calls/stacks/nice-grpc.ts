import grpc from '@grpc/grpc-js';
import {
  type CompatServiceDefinition,
  createChannel,
  createClient,
  createServer,
  type ServiceImplementation,
} from 'nice-grpc';
import { definition } from '../definition.js';
import { handlers } from '../service.js';
import type { Caller, Stack, Text } from '../stack.js';

const bench = (): CompatServiceDefinition => {
  const { Say, Carry, Count, Chat } = definition();
  return { say: Say, carry: Carry, count: Count, chat: Chat };
};

type Methods = {
  say(request: Text): Promise<Text>;
  carry(request: { data: Uint8Array }): Promise<{ data: Uint8Array }>;
  count(request: { messages: number }): AsyncIterable<Text>;
  chat(requests: AsyncIterable<Text>): AsyncIterable<Text>;
};

/** nice-grpc over grpc-js. Without deadlines, which would be a package of their own. */
export const niceGrpc: Stack = {
  async serve({ tls }) {
    const server = createServer();
    const implementation = {
      ...handlers,
      say: async (request: Text) => handlers.say(request),
      carry: async (request: { data: Uint8Array }) => handlers.carry(request),
    };
    server.add(bench(), implementation as unknown as ServiceImplementation<CompatServiceDefinition>);
    const credentials = tls
      ? grpc.ServerCredentials.createSsl(null, [
          { cert_chain: Buffer.from(tls.cert), private_key: Buffer.from(tls.key) },
        ])
      : grpc.ServerCredentials.createInsecure();
    return `127.0.0.1:${await server.listen('127.0.0.1:0', credentials)}`;
  },
  async open(address, { tls }) {
    const credentials = tls
      ? grpc.credentials.createSsl(Buffer.from(tls.cert))
      : grpc.credentials.createInsecure();
    const channel = createChannel(address, credentials, { 'grpc.use_local_subchannel_pool': 1 });
    const client = createClient(bench(), channel) as unknown as Methods;
    return {
      say: (text) => client.say({ text }),
      carry: ({ data }) => client.carry({ data }),
      count: (messages) => client.count({ messages }),
      chat: (requests) => client.chat(requests),
    } satisfies Caller;
  },
};
