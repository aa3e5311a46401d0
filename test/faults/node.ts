// A server's process for the fault tests: serves, tells its address, and waits to be killed.
import { Server } from 'lictor';
import { consul } from 'lictor/plugin/consul';
import { local } from 'lictor/plugin/local';
import { Faults } from './service.js';

const [kind, where, address] = process.argv.slice(2) as ['consul' | 'local', string, string];
const plugin = kind === 'consul' ? consul({ address: where.split(',') }) : local({ folder: where });
const server = new Server({ address, plugins: [plugin], drainMs: 0, handleSignals: true });
server.registerService(Faults, {
  // Long enough that a kill finds calls in flight.
  async work({ n }) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    return { n };
  },
});
await server.serve();
process.on('disconnect', () => process.exit());
process.send!(server.address);
