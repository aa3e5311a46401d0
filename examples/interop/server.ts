import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Server, type ServerOptions } from 'lictor';
import { service, testService } from './test-service.js';

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    transport: { type: 'string', default: 'h2' },
    tls: { type: 'boolean', default: false },
    cert: { type: 'string' },
    key: { type: 'string' },
    ca: { type: 'string' },
  },
});

const server = new Server({
  address: `127.0.0.1:${values.port}`,
  // The server checks the name and lists the known ones.
  transport: values.transport as NonNullable<ServerOptions['transport']>,
  handleSignals: true,
  ...(values.tls && { tls: readTls() }),
});
server.registerService(service, testService(values.transport));
await server.serve();
console.log(`listening on ${server.address}`);

function readTls() {
  const { cert, key, ca } = values;
  if (cert === undefined || key === undefined) throw new RangeError('--tls wants --cert and --key as well');
  return {
    cert: readFileSync(cert),
    key: readFileSync(key),
    ...(ca !== undefined && { ca: readFileSync(ca) }),
  };
}
