import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { contextContract } from '../contract/context.js';
import { transportContract } from '../contract/transport.js';

const folder = mkdtempSync(join(tmpdir(), 'lictor-test-'));
after(() => rmSync(folder, { recursive: true }));
let sockets = 0;

transportContract({ name: 'grpc-js', transport: () => 'grpc-js' });
transportContract({ name: 'grpc-js over IPv6', transport: () => 'grpc-js', address: '[::1]:0' });
transportContract({
  name: 'grpc-js over a unix socket',
  transport: () => 'grpc-js',
  get address() {
    return `unix:${join(folder, `${sockets++}.sock`)}`;
  },
});
contextContract('grpc-js', () => 'grpc-js');
