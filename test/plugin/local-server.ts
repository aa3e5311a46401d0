// A server's process for the tests of `local`: registers and waits to be killed.
import { local } from '../../plugin/local/local.js';
import { stderrLogger } from '../../rpc/log.js';

const [folder, service, address] = process.argv.slice(2) as [string, string, string];
await local({ folder }).init({ address, services: [service], logger: stderrLogger });
process.on('disconnect', () => process.exit());
process.send!('registered');
