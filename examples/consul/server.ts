import { Server } from 'lictor';
import { consul } from 'lictor/plugin/consul';
import { Greeter } from '../helloworld/gen/helloworld.js';

// Without `address` it is the agent at CONSUL_HTTP_ADDR, else at 127.0.0.1:8500.
const server = new Server({
  plugins: [consul({ prefix: 'lictor-example/' })],
  zone: 'eu-1',
  tags: ['canary'],
  handleSignals: true,
});

server.registerService(Greeter, {
  sayHello: ({ msg }) => ({ msg: `hello ${msg}` }),
});

// Resolves when the server is listed in Consul: from now on clients find it.
await server.serve();
console.log(`listening on ${server.address}, key lictor-example/${Greeter.name}/${server.address}`);
