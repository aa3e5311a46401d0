import { Server } from 'lictor';
import { Work } from './service.js';

// A server whose handler keeps its core busy for as long as it is told: argv is how many workers it has.
const cpuUs = () => {
  const { user, system } = process.cpuUsage();
  return user + system;
};
const server = new Server({ address: '127.0.0.1:0' });
server.registerService(Work, {
  work({ us }) {
    // CPU time and not that of the clock, which goes on while other processes have the core.
    for (const end = cpuUs() + us; cpuUs() < end; );
    return {};
  },
});
await server.serve({ workers: Number(process.argv[2]) });
if (server.worker === undefined) {
  process.once('disconnect', () => server.close());
  process.send!(server.addresses);
}
