import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, silentLogger } from 'lictor';
import { nodesIn } from './nodes.js';
import { Faults } from './service.js';

// That no other of these tests fails for it is what shows that there is none.

test('F60: a rejection that nobody handles ends the process of a server, and fails the test that started it', {
  timeout: 60_000,
}, async () => {
  const nodes = nodesIn('none', '', { behaviour: { rejects: true } });
  const address = await nodes.start();
  await using client = new Client({ target: address, retry: false, logger: silentLogger });
  await client
    .service(Faults)
    .work({ n: 1 })
    .catch(() => {});
  assert.equal(await nodes.ended(address), 1);
  await assert.rejects(async () => nodes[Symbol.asyncDispose](), assert.AssertionError);
});

test('F60: it ends the process of a test as well', () => {
  assert.match(`${process.env.NODE_OPTIONS} ${process.execArgv.join(' ')}`, /--unhandled-rejections=strict/);
});
