import { Server } from 'lictor';
import { Work } from './service.js';

// A server whose handler keeps its core busy for as long as it is told: argv is how many workers it has.
const server = new Server({ address: '127.0.0.1:0' });
server.registerService(Work, {
  work({ us }) {
    for (const end = performance.now() + us / 1_000; performance.now() < end; );
    return {};
  },
});
await server.serve({ workers: Number(process.argv[2]) });
if (server.worker === undefined) {
  process.once('disconnect', () => server.close());
  process.send!(server.addresses);
}
