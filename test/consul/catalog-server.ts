// A server's process for tests of checks: registers in catalog mode, tells its address, and waits to be frozen or killed.
import { Server } from 'lictor';
import { consul, type ServiceCheck } from 'lictor/plugin/consul';
import { Faults } from '../faults/service.js';

const [agent, address, check] = process.argv.slice(2) as [string, string, string];
const plugin = consul({ mode: 'catalog', address: agent, check: JSON.parse(check) as ServiceCheck });
const server = new Server({ address, plugins: [plugin], drainMs: 0 });
server.registerService(Faults, { work: ({ n }) => ({ n }) });
await server.serve();
process.on('disconnect', () => process.exit());
process.send!(server.address);
