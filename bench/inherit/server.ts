import { Client, Server } from 'lictor';
import { Inherit } from './service.js';

// A server in a process of its own that tells its CPU time when asked: argv is how many sides its process has.
if (process.argv[2] === 'both') new Client({ target: '127.0.0.1:1' });
const server = new Server({ address: '127.0.0.1:0' });
server.registerService(Inherit, {
  async call(message) {
    // As a handler that asks a few others: each await is followed.
    for (let i = 0; i < 5; i++) await undefined;
    return message;
  },
});
await server.serve();
process.on('message', () => process.send!(process.cpuUsage()));
process.on('disconnect', () => process.exit());
process.send!(server.address);
