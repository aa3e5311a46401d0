import { Readable, type Writable } from 'node:stream';
import grpc from '@grpc/grpc-js';
import { definition } from '../definition.js';
import { handlers } from '../service.js';
import { type Caller, type Stack, type Text, TIMEOUT_MS } from '../stack.js';

/** `@grpc/grpc-js` as its documentation has it, with a deadline on each call as every careful user sets one. */
export const grpcJs: Stack = {
  async serve({ tls }) {
    const server = new grpc.Server();
    server.addService(definition(), implementation);
    const credentials = tls
      ? grpc.ServerCredentials.createSsl(null, [
          { cert_chain: Buffer.from(tls.cert), private_key: Buffer.from(tls.key) },
        ])
      : grpc.ServerCredentials.createInsecure();
    const port = await new Promise<number>((resolve, reject) =>
      server.bindAsync('127.0.0.1:0', credentials, (error, port) => (error ? reject(error) : resolve(port))),
    );
    return `127.0.0.1:${port}`;
  },
  async open(address, { tls }) {
    const Bench = grpc.makeClientConstructor(definition(), 'Bench');
    const credentials = tls
      ? grpc.credentials.createSsl(Buffer.from(tls.cert))
      : grpc.credentials.createInsecure();
    // Clients to one address would share a connection.
    const client = new Bench(address, credentials, { 'grpc.use_local_subchannel_pool': 1 });
    const unary = (name: 'Say' | 'Carry') => (request: object) =>
      new Promise((resolve, reject) => {
        client[name]!(
          request,
          { deadline: Date.now() + TIMEOUT_MS },
          (error: grpc.ServiceError | null, reply: unknown) => (error ? reject(error) : resolve(reply)),
        );
      });
    const [say, carry] = [unary('Say'), unary('Carry')];
    return {
      say: (text) => say({ text }),
      carry: ({ data }) => carry({ data }),
      count: (messages) => client.Count!({ messages }),
      chat(requests) {
        const call = client.Chat!() as grpc.ClientDuplexStream<Text, Text>;
        pipe(requests, call);
        return call;
      },
    } as Caller;
  },
};

const implementation: grpc.UntypedServiceImplementation = {
  Say: (call: grpc.ServerUnaryCall<Text, Text>, reply: grpc.sendUnaryData<Text>) =>
    reply(null, handlers.say(call.request)),
  Carry: (
    call: grpc.ServerUnaryCall<{ data: Uint8Array }, unknown>,
    reply: grpc.sendUnaryData<{ data: Uint8Array }>,
  ) => reply(null, handlers.carry(call.request)),
  Count: (call: grpc.ServerWritableStream<{ messages: number }, Text>) =>
    pipe(handlers.count(call.request), call),
  Chat(call: grpc.ServerDuplexStream<Text, Text>) {
    call.on('data', (message: Text) => {
      if (!call.write(handlers.say(message))) call.pause();
    });
    call.on('drain', () => call.resume());
    call.on('end', () => call.end());
  },
};

/** Its streams are those of Node, though their types are not quite. */
function pipe(source: AsyncIterable<Text>, stream: object): void {
  Readable.from(source).pipe(stream as Writable);
}
