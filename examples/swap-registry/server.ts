import { Server } from 'lictor';
import { Greeter } from '../helloworld/gen/helloworld.js';
import { address, registry } from './registry.js';

const server = new Server({ address, plugins: [registry], handleSignals: true });

server.registerService(Greeter, {
  sayHello: ({ msg }) => ({ msg: `hello ${msg}` }),
});

await server.serve();
console.log(`listening on ${server.address}`);
