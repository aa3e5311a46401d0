import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { contextContract } from '../contract/context.js';
import { transportContract } from '../contract/transport.js';

const folder = mkdtempSync(join(tmpdir(), 'lictor-test-'));
after(() => rmSync(folder, { recursive: true }));
let sockets = 0;

transportContract({ name: 'h2', transport: () => 'h2' });
transportContract({ name: 'h2 over IPv6', transport: () => 'h2', address: '[::1]:0' });
transportContract({
  name: 'h2 over a unix socket',
  transport: () => 'h2',
  get address() {
    return `unix:${join(folder, `${sockets++}.sock`)}`;
  },
});
contextContract('h2', () => 'h2');
