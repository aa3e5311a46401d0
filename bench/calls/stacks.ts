import grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { Client, Server } from 'lictor';
import { consul } from 'lictor/plugin/consul';
import { greeter, MESSAGE, PROTO } from './greeter.js';
import type { Stack } from './stack.js';

const TIMEOUT_MS = 10_000;

type Reply = { msg: string };
type SayHello = (
  request: Reply,
  options: grpc.CallOptions,
  callback: (error: grpc.ServiceError | null, reply?: Reply) => void,
) => void;

const definition = () => loadSync(PROTO)['helloworld.Greeter'] as grpc.ServiceDefinition;

/** `@grpc/grpc-js` as its documentation has it, with a deadline on each call as every careful user sets one. */
const plainGrpcJs: Stack = {
  name: '@grpc/grpc-js',
  async serve() {
    const server = new grpc.Server();
    server.addService(definition(), {
      SayHello: (call: grpc.ServerUnaryCall<Reply, Reply>, reply: grpc.sendUnaryData<Reply>) =>
        reply(null, { msg: call.request.msg }),
    });
    const port = await new Promise<number>((resolve, reject) => {
      const credentials = grpc.ServerCredentials.createInsecure();
      server.bindAsync('127.0.0.1:0', credentials, (error, port) => (error ? reject(error) : resolve(port)));
    });
    return `127.0.0.1:${port}`;
  },
  async open(address) {
    const Greeter = grpc.makeClientConstructor(definition(), 'Greeter');
    const client = new Greeter(address, grpc.credentials.createInsecure()) as unknown as {
      SayHello: SayHello;
    };
    return () =>
      new Promise((resolve, reject) => {
        client.SayHello(MESSAGE, { deadline: Date.now() + TIMEOUT_MS }, (error, reply) =>
          error ? reject(error) : resolve(reply),
        );
      });
  },
};

const serveLictor = async (plugins: ConstructorParameters<typeof Server>[0]) => {
  const server = new Server({ ...plugins, transport: 'grpc-js' });
  server.registerService(greeter(), { sayHello: ({ msg }: Reply) => ({ msg }) });
  await server.serve();
  return server.address;
};

const lictorFixed: Stack = {
  name: 'lictor grpc-js, fixed target',
  serve: () => serveLictor({}),
  async open(target) {
    const client = new Client({ target, transport: 'grpc-js', timeoutMs: TIMEOUT_MS });
    const { sayHello } = client.service(greeter());
    return () => sayHello(MESSAGE);
  },
};

const lictorConsul: Stack = {
  name: 'lictor grpc-js, selector on consul',
  serve: (registry) => serveLictor({ plugins: [consul({ address: registry })] }),
  async open(_, registry) {
    const client = new Client({
      resolver: consul({ address: registry }),
      transport: 'grpc-js',
      timeoutMs: TIMEOUT_MS,
    });
    const { sayHello } = client.service(greeter());
    return () => sayHello(MESSAGE);
  },
};

export const stacks: readonly Stack[] = [plainGrpcJs, lictorFixed, lictorConsul];
