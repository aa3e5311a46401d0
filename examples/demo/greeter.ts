import { setTimeout as sleep } from 'node:timers/promises';
import { Server } from 'lictor';
import { Greeter } from '../helloworld/gen/helloworld.js';
import { whenAlone } from './child.js';
import { openRegistry } from './registry.js';

// One of the demo's servers: `greeter.js <its name> <registry...>`. It answers with its name.

const [name = '', ...registry] = process.argv.slice(2);

// An address of 0 takes a free port, and the registry lists that one.
const server = new Server({ plugins: [openRegistry(registry)], handleSignals: true, drainMs: 300 });

server.registerService(Greeter, {
  async sayHello() {
    await sleep(10); // As if it had something to do.
    return { msg: name };
  },
});

await server.serve();
process.send?.(server.address);
whenAlone(() => process.exit());
