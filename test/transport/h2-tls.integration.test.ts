import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tlsContract } from '../contract/tls.js';

/** Node tells each once per process, so they are collected from its start. */
const warnings: (Error & { code?: string })[] = [];
process.on('warning', (warning) => warnings.push(warning));

tlsContract('h2');

test('an IP address is not sent as the name of the server (RFC 6066, 3), of which Node warns', () => {
  assert.deepEqual(
    warnings.filter(({ code }) => code === 'DEP0123'),
    [],
  );
});
