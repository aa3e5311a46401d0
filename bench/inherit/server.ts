import { AsyncLocalStorage } from 'node:async_hooks';
import { loadBuild } from '../build.js';
import { inherit } from './service.js';
import type { State } from './states.js';

// A server in a process of its own that tells its CPU time when asked: argv is a state, and the folder of a build.
const { client, storage, build } = JSON.parse(process.argv[2]!) as State & { build: string };
const lictor = await loadBuild(build);
if (client) new lictor.Client({ target: '127.0.0.1:1' });
const server = new lictor.Server({ address: '127.0.0.1:0' });

/** As a handler that asks a few others: each await is followed. */
async function call(message: object): Promise<object> {
  for (let i = 0; i < 5; i++) await undefined;
  return message;
}

const own = new AsyncLocalStorage<object>();
server.registerService(inherit(lictor), {
  call: storage ? (message) => own.run(message, call, message) : call,
});
await server.serve();
process.on('message', () => process.send!(process.cpuUsage()));
process.on('disconnect', () => process.exit());
process.send!(server.address);
