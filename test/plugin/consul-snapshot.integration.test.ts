import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { Client, defineService, memory, unary } from 'lictor';
import { consul as published } from 'lictor/plugin/consul';
import { addressPolicy } from '../../plugin/consul/address-policy.js';
import type { ChangeEvent } from '../../plugin/consul/changes.js';
import { consul } from '../../plugin/consul/consul.js';
import { type Found, withSnapshot } from '../../plugin/consul/found.js';
import { snapshotIn } from '../../plugin/consul/snapshot.js';
import { createNode } from '../../selector/node.js';
import { startConsul } from '../consul/agent.js';
import { read } from '../contract/reader.js';
import { turns } from '../deferred.js';
import { pair } from '../pair.js';
import { recordingLogger } from './log.js';

const TIME_LIMIT = { timeout: 60_000 };
const nodes = [
  createNode({ address: '127.0.0.1:1', weight: 3, zone: 'a', tags: ['x'], meta: { v: '1' } }),
  createNode({ address: '127.0.0.1:2' }),
];
const allowAll = addressPolicy(undefined);
let root: string;
let folder: string;
let serial = 0;
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'lictor-snapshot-'));
});
beforeEach(() => {
  folder = join(root, `${serial++}`, 'made', 'when needed');
});
after(() => rm(root, { recursive: true, force: true }));

/** The one file in the folder, when it is there under its final name. */
async function savedFile(): Promise<string> {
  for (;;) {
    const files = await readdir(folder).catch(() => []);
    const file = files.find((name) => name.endsWith('.json'));
    if (file) return join(folder, file);
    await turns(1);
  }
}

describe('a saved list', () => {
  test('is read back as it was, and is for this user alone', TIME_LIMIT, async () => {
    const logger = recordingLogger();
    const snapshot = snapshotIn(folder, 'key', allowAll, logger);
    assert.equal(await snapshot.read(), undefined);
    snapshot.save(nodes);
    const file = await savedFile();
    assert.deepEqual(
      (await snapshot.read())?.nodes.map((node) => ({ ...node, meta: { ...node.meta } })),
      [{ ...nodes[0], meta: { v: '1' } }, nodes[1]],
    );
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    assert.deepEqual(await readdir(folder), [file.slice(folder.length + 1)], 'no temporary file stays');
    assert.equal(await snapshotIn(folder, 'another', allowAll, logger).read(), undefined);
    assert.deepEqual(logger.lines, []);
  });

  test('is never an empty one', TIME_LIMIT, async () => {
    const snapshot = snapshotIn(folder, 'key', allowAll, recordingLogger());
    snapshot.save(nodes);
    const text = await readFile(await savedFile(), 'utf8');
    snapshot.save([]);
    await turns(50);
    assert.equal(await readFile(await savedFile(), 'utf8'), text);
  });

  for (const [what, text] of [
    ['cut short', '{"version":1,"nodes":[{"addr'],
    [
      'of another version',
      '{"version":2,"savedAt":"2026-01-01T00:00:00Z","nodes":[{"address":"127.0.0.1:1"}]}',
    ],
    ['without a time', '{"version":1,"nodes":[{"address":"127.0.0.1:1"}]}'],
    ['null', 'null'],
    ['deep', '['.repeat(100_000)],
    ['longer than 8 MiB', `${' '.repeat(8 * 1024 * 1024)}null`],
  ] as const) {
    test(`B1: that is ${what} is told and not used`, TIME_LIMIT, async () => {
      const logger = recordingLogger();
      const snapshot = snapshotIn(folder, 'key', allowAll, logger);
      snapshot.save(nodes);
      await writeFile(await savedFile(), text);
      assert.equal(await snapshot.read(), undefined);
      assert.match(logger.lines[0]!.message, /could not use the saved list/);
    });
  }

  test('B2, B3, B5, B6: is trusted no more than the registry', TIME_LIMIT, async () => {
    const snapshot = snapshotIn(folder, 'key', addressPolicy(['127.0.0.0/8']), recordingLogger());
    snapshot.save(nodes);
    const list = [
      { address: '169.254.169.254:80' },
      { address: '10.0.0.1:80' },
      { address: 'unix:/run/x' },
      { address: '127.0.0.1:0' },
      { address: '127.0.0.1:1', weight: 1e308, meta: JSON.parse('{"__proto__":"x"}') },
      { address: '127.0.0.1:1', weight: 7 },
      null,
      'x',
    ];
    await writeFile(
      await savedFile(),
      JSON.stringify({ version: 1, savedAt: '2026-01-01T00:00:00.000Z', nodes: list }),
    );
    const saved = await snapshot.read();
    assert.deepEqual(
      saved?.nodes.map(({ address, weight }) => [address, weight]),
      [['127.0.0.1:1', 1_000]],
    );
    assert.equal(saved?.savedAt.getTime(), Date.UTC(2026, 0, 1));
    assert.equal(Object.hasOwn(saved!.nodes[0]!.meta, '__proto__'), true);
  });

  test('that cannot be written is told once, and nothing else happens', TIME_LIMIT, async () => {
    const logger = recordingLogger();
    const file = join(root, `file${serial++}`);
    await writeFile(file, '');
    const snapshot = snapshotIn(file, 'key', allowAll, logger);
    snapshot.save(nodes);
    while (logger.lines.length === 0) await turns(1);
    assert.match(logger.lines[0]!.message, /could not save/);
  });
});

test('the saved list comes before an answer that takes its time, and not before one that is there', async () => {
  const snapshot = snapshotIn(folder, 'key', allowAll, recordingLogger());
  snapshot.save(nodes);
  await savedFile();
  const answer: ChangeEvent<Found> = { kind: 'value', value: { nodes: [], doubt: undefined } };
  async function* answers(after: Promise<unknown>) {
    await after;
    yield answer;
  }
  const kinds = async (events: AsyncIterable<ChangeEvent<Found>>) => {
    const seen: [number, boolean][] = [];
    for await (const event of events)
      if (event.kind === 'value') seen.push([event.value.nodes.length, event.value.doubt !== undefined]);
    return seen;
  };
  assert.deepEqual(await kinds(withSnapshot(answers(Promise.resolve()), snapshot, 'a', 60_000)), [
    [0, false],
  ]);
  const late = withSnapshot(answers(new Promise((resolve) => setTimeout(resolve, 50))), snapshot, 'a', 1);
  assert.deepEqual(await kinds(late), [
    [2, true],
    [0, false],
  ]);
});

test(
  'F59: a client starts while Consul is down, knows that it is stale, and is right when Consul is back',
  TIME_LIMIT,
  async () => {
    const Echo = defineService('snapshot.Echo', { echo: unary<object, object>() });
    const transport = memory();
    await using it = await pair(Echo, { echo: (message) => message }, { transport });
    await using agent = await startConsul();
    await agent.put('snapshot.Echo/1', it.server.address);
    const resolver = () => published({ address: agent.address, snapshot: folder, logger: recordingLogger() });
    {
      await using first = new Client({ transport, resolver: resolver() });
      await first.service(Echo).echo({});
      await savedFile();
    }
    await agent.kill('SIGKILL');
    await using second = new Client({ transport, resolver: resolver(), logger: recordingLogger() });
    await second.service(Echo).echo({});
    const stale = () => second.watchState('snapshot.Echo');
    while (stale().kind === 'ready') await turns(1);
    assert.equal(stale().kind, 'stale');
    await agent.restart();
    while (stale().kind !== 'ready') await turns(1);
    await second.service(Echo).echo({});
  },
);

test(
  'without a snapshot nothing is written, and a start without Consul is a failure',
  TIME_LIMIT,
  async () => {
    await using agent = await startConsul();
    await agent.kill('SIGKILL');
    await using reader = read(consul({ address: agent.address, snapshot: folder }), 'Greeter');
    assert.equal((await reader.next()).kind, 'failure');
  },
);
