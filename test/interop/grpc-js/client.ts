import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Client, credentials } from '@grpc/grpc-js';
import type { Peer } from '../../../examples/interop/cases/case.js';
import { runCases } from '../../../examples/interop/run-cases.js';
import { TestService, UnimplementedService } from './definition.js';
import { stub } from './stub.js';

const { values } = parseArgs({
  options: {
    server: { type: 'string', default: '127.0.0.1:10000' },
    tls: { type: 'boolean', default: false },
    ca: { type: 'string' },
    cert: { type: 'string' },
    key: { type: 'string' },
    'server-name': { type: 'string' },
    case: { type: 'string', default: 'all' },
  },
});

const { server, tls, ca, cert, key, 'server-name': name } = values;
const read = (file: string | undefined) => (file === undefined ? null : readFileSync(file));
const secrets = tls ? credentials.createSsl(read(ca), read(key), read(cert)) : credentials.createInsecure();
const options = name === undefined ? {} : { 'grpc.ssl_target_name_override': name };
const plain = new Client(server, secrets, options);
const gzip = new Client(server, secrets, { ...options, 'grpc.default_compression_algorithm': 2 });

const peer = {
  test: stub(plain, TestService),
  compressing: stub(gzip, TestService),
  unimplemented: stub(plain, UnimplementedService),
} as unknown as Peer;
const failures = await runCases(peer, values.case, (each) =>
  each === 'client_compressed_streaming' ? 'this client compresses all of its requests or none' : undefined,
);
plain.close();
gzip.close();
process.exitCode = failures === 0 ? 0 : 1;
