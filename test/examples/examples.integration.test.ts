import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { listExamples } from '../../scripts/examples/list.js';
import { runExample } from '../../scripts/examples/run.js';
import { root } from '../../scripts/root.js';
import { type ConsulAgent, closedPort, startConsul } from '../consul/agent.js';

const examples = listExamples(join(root, 'dist', 'examples'));

/** What an example prints when it did what it is there to show. */
const SHOWS: Readonly<Record<string, RegExp>> = {
  consul: /^main \| hello world$/m,
  'custom-balancer': /^main \| {3}tokyo +█{40} 300$/m,
  helloworld: /^client \| hello lictor$/m,
  streaming: /^client \| listen: \[DEADLINE_EXCEEDED\]/m,
  'swap-registry': /^client \| hello local, found in local registry/m,
};

/** Examples say nothing of errors: no stack, no line of the log. */
async function run(name: string, environment: Readonly<Record<string, string>> = {}): Promise<string> {
  const example = examples.find((candidate) => candidate.name === name);
  assert.ok(example, `no example is named ${name}`);
  Object.assign(process.env, environment);
  const lines: string[] = [];
  const outcome = await runExample(example, { print: (line) => lines.push(line) });
  for (const key of Object.keys(environment)) delete process.env[key];
  const output = lines.join('\n');
  assert.deepEqual(outcome, { kind: 'passed' }, output);
  assert.doesNotMatch(output, /"level":|^\S+ \| +at /m);
  return output;
}

describe('examples', () => {
  let agent: ConsulAgent;
  const temporary = mkdtempSync(join(tmpdir(), 'lictor-examples-'));
  const original = process.env.TMPDIR;

  before(async () => {
    agent = await startConsul();
    // local() meets in the system's folder for temporary files, where other runs of the examples would meet these.
    process.env.TMPDIR = temporary;
  });
  after(async () => {
    if (original === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = original;
    rmSync(temporary, { recursive: true });
    await agent.stop();
  });

  for (const { name } of examples) {
    test(`${name} runs`, async () => {
      const output = await run(name, { CONSUL_HTTP_ADDR: agent.address });
      const shows = SHOWS[name];
      if (shows) assert.match(output, shows);
    });
  }

  test('swap-registry runs on Consul and on a fixed list with the same programs', async () => {
    const consul = { REGISTRY: 'consul', CONSUL_HTTP_ADDR: agent.address };
    assert.match(await run('swap-registry', consul), /^client \| hello consul, found in consul at/m);
    const fixed = { REGISTRY: 'fixed', ADDRESS: `127.0.0.1:${await closedPort()}` };
    assert.match(await run('swap-registry', fixed), /^client \| hello fixed, found in a fixed list/m);
  });

  test('leave nothing in Consul', async () => {
    assert.deepEqual(await agent.request('GET', '/kv/?keys'), []);
  });
});
