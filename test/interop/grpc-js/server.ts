import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { TestService } from './definition.js';
import { handlers } from './handlers.js';

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    tls: { type: 'boolean', default: false },
    cert: { type: 'string' },
    key: { type: 'string' },
    ca: { type: 'string' },
  },
});

const { UnimplementedCall: _, ...methods } = TestService;
const server = new Server();
server.addService(methods, handlers);
server.bindAsync(`127.0.0.1:${values.port}`, secrets(), (error, port) => {
  if (error) throw error;
  console.log(`listening on 127.0.0.1:${port}`);
});

function secrets(): ServerCredentials {
  const { tls, cert, key, ca } = values;
  if (!tls) return ServerCredentials.createInsecure();
  if (cert === undefined || key === undefined) throw new RangeError('--tls wants --cert and --key as well');
  const pair = { cert_chain: readFileSync(cert), private_key: readFileSync(key) };
  return ServerCredentials.createSsl(ca === undefined ? null : readFileSync(ca), [pair], ca !== undefined);
}
