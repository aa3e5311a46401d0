import { Server } from 'lictor';
import { local } from 'lictor/plugin/local';
import { Greeter } from './gen/helloworld.js';

// `local()` lists the server in a folder of this machine, so that nothing has to be installed to try it.
const server = new Server({ plugins: [local()], handleSignals: true });

server.registerService(Greeter, {
  sayHello: ({ msg }) => ({ msg: `hello ${msg}` }),
});

await server.serve();
console.log(`listening on ${server.address}`);
