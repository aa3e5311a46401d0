import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { root } from '../../scripts/root.js';
import { type ConsulAgent, startConsul } from '../consul/agent.js';
import { blocksOf, type Compiled, compiled } from './guide.js';

const TIME_LIMIT = { timeout: 60_000 };
const guide = readFileSync(join(root, 'docs/guide/consul-watch.md'), 'utf8');
const blocks = blocksOf(guide);

describe('the guide to watching Consul', () => {
  let pages: Compiled;
  let agent: ConsulAgent;

  before(async () => {
    // Nothing of a test may leave the machine.
    const local = blocks.map((block) => block.replace('https://alerts.example/', 'http://127.0.0.1:1/'));
    pages = compiled(Object.fromEntries(local.map((text, at) => [`block${at + 1}`, text])));
    agent = await startConsul();
  }, TIME_LIMIT);
  after(async () => {
    pages[Symbol.dispose]();
    await agent?.stop();
  });

  const start = (block: number) => {
    const child = spawn(process.execPath, [pages.program(`block${block}`)], {
      cwd: pages.folder,
      env: { ...process.env, CONSUL_HTTP_ADDR: agent.address },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      child.emit('said');
    });
    return {
      child,
      /** Resolves when all that it has said since the start is this. */
      async says(pattern: RegExp) {
        while (!pattern.test(said)) await once(child, 'said');
      },
    };
  };
  const register = async (...addresses: string[]) => {
    for (const address of addresses) {
      const body = JSON.stringify({
        ID: address,
        Name: 'web',
        Address: address,
        Port: 80,
        Check: { TTL: '1h', Status: 'passing' },
      });
      const { ok } = await fetch(`${agent.url}/v1/agent/service/register`, { method: 'PUT', body });
      assert.ok(ok);
    }
  };

  test('has three blocks of TypeScript', () => assert.equal(blocks.length, 3));

  test('its first block follows a service until it is stopped', TIME_LIMIT, async () => {
    const { child, says } = start(1);
    await says(/^web: nobody\n$/);
    await register('10.0.0.1');
    await says(/^web: nobody\nweb: 10\.0\.0\.1:80\n$/);
    child.kill('SIGTERM');
    assert.deepEqual(await once(child, 'exit'), [0, null]);
  });

  test('its second block follows a key until it is gone', TIME_LIMIT, async () => {
    await agent.put('web/limit', '5');
    const { child, says } = start(2);
    await says(/^limit: 5\n$/);
    const exit = once(child, 'exit');
    await agent.delete('web/limit');
    assert.deepEqual(await exit, [0, null]);
  });

  test('its third block hands events to a command', TIME_LIMIT, async () => {
    const { child, says } = start(3);
    await says(/^\[\]\n$/);
    await agent.request('PUT', '/event/fire/deploy', 'v2');
    await says(/^\[\]\n\[\{"ID":"[^"]+","Name":"deploy","Payload":"djI=".*\n$/);
    child.kill('SIGTERM');
    assert.deepEqual(await once(child, 'exit'), [0, null]);
  });
});
