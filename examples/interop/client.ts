import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { runClient } from './run-client.js';

const { values } = parseArgs({
  options: {
    server: { type: 'string', default: '127.0.0.1:10000' },
    transport: { type: 'string', default: 'h2' },
    tls: { type: 'boolean', default: false },
    ca: { type: 'string' },
    cert: { type: 'string' },
    key: { type: 'string' },
    'server-name': { type: 'string' },
    case: { type: 'string', default: 'all' },
  },
});

const { ca, cert, key, 'server-name': serverName } = values;
const tls = {
  ...(ca !== undefined && { ca: readFileSync(ca) }),
  ...(cert !== undefined && { cert: readFileSync(cert) }),
  ...(key !== undefined && { key: readFileSync(key) }),
  ...(serverName !== undefined && { serverName }),
};
const failures = await runClient({
  target: values.server,
  transport: values.transport,
  name: values.case,
  ...(values.tls && { tls }),
});
process.exitCode = failures === 0 ? 0 : 1;
