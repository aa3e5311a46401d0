import { parseArgs } from 'node:util';
import { Server, type ServerOptions } from 'lictor';
import { runClient } from './run-client.js';
import { service, testService } from './test-service.js';

// Server and client in one process; `server.ts` and `client.ts` are for those of other languages.

const { values } = parseArgs({ options: { transport: { type: 'string', default: 'h2' } } });
const { transport } = values;

await using server = new Server({
  transport: transport as NonNullable<ServerOptions['transport']>,
  graceMs: 0,
});
server.registerService(service, testService(transport));
await server.serve();
const failures = await runClient({ target: server.address, transport, name: 'all' });
process.exitCode = failures === 0 ? 0 : 1;
