import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { consulBinary } from '../../scripts/consul.js';
import { root } from '../../scripts/root.js';
import { closedPort, startConsul } from '../consul/agent.js';

const temporary = mkdtempSync(join(tmpdir(), 'lictor-demo-test-'));

function startDemo(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): ChildProcess {
  return spawn(process.execPath, [join(root, 'dist/examples/demo/demo.js'), '--seconds', '3', ...args], {
    env: { ...process.env, TMPDIR: temporary, ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

/** Its output when it has ended. It is sent a signal, once, when it has printed a text. */
async function ended(
  demo: ChildProcess,
  interruption?: { signal: NodeJS.Signals; at: string },
): Promise<{ code: number | null; text: string }> {
  let text = '';
  let sent = false;
  demo.stdout?.on('data', (data) => {
    text += data;
    if (sent || !interruption || !text.includes(interruption.at)) return;
    sent = demo.kill(interruption.signal);
  });
  const [code] = await once(demo, 'close');
  return { code, text };
}

const addressesOf = (text: string) => [...new Set(text.match(/127\.0\.0\.1:\d+/g))];

const answers = (address: string) =>
  fetch(`http://${address}`).then(
    () => true,
    (error: Error) => !String(error.cause).includes('ECONNREFUSED'),
  );

describe('the demo', { timeout: 180_000 }, () => {
  after(() => rmSync(temporary, { recursive: true }));

  test('runs on the embedded registry, and leaves no folder and no server', async () => {
    const { code, text } = await ended(startDemo(['--local']));
    assert.equal(code, 0, text);
    assert.match(text, /registry: local\(\)/);
    assert.match(text, /the registry lists B no more/);
    assert.match(text, /^ {2}D 127\.0\.0\.1:\d+ +█+ +\d+ +joined$/m);
    assert.deepEqual(readdirSync(temporary), []);
    for (const address of addressesOf(text)) assert.equal(await answers(address), false, address);
  });

  test('runs on the Consul that is there, whose list keeps the killed server, and removes its keys', async () => {
    await using agent = await startConsul();
    await agent.put('mine', 'stays');
    const { code, text } = await ended(startDemo([], { CONSUL_HTTP_ADDR: agent.address }));
    assert.equal(code, 0, text);
    assert.match(text, /Consul still lists B/);
    assert.match(text, /cleaning up: only the key of B/);
    assert.deepEqual(await agent.request('GET', '/kv/?keys'), ['mine']);
  });

  test('leaves no key behind when it is interrupted', async () => {
    await using agent = await startConsul();
    const demo = startDemo([], { CONSUL_HTTP_ADDR: agent.address });
    const { code, text } = await ended(demo, { signal: 'SIGINT', at: 'KILLED' });
    assert.equal(code, 130, text);
    assert.deepEqual(await agent.request('GET', '/kv/?keys'), []);
  });

  test('ends the Consul that it started, also when it is killed itself', { timeout: 30_000 }, async () => {
    const environment = {
      CONSUL_HTTP_ADDR: `127.0.0.1:${await closedPort()}`,
      CONSUL_BIN: await consulBinary(),
    };
    const demo = startDemo([], environment);
    const { text } = await ended(demo, { signal: 'SIGKILL', at: 'servers:' });
    assert.match(text, /started one for this run/);
    for (const address of addressesOf(text)) {
      while (await answers(address)) await new Promise((resolve) => setTimeout(resolve, 50));
    }
  });
});
