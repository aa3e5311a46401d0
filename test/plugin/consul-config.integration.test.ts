import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Status, silentLogger } from 'lictor';
import { type ConfigChange, ConsulConfig, type ConsulConfigOptions } from 'lictor/plugin/consul/config';
import { type ConsulAgent, startConsul } from '../consul/agent.js';
import { countingProxy } from '../consul/counting-proxy.js';
import { recorder, untilState, wordOf } from './config-changes.js';
import { recordingLogger } from './log.js';

const TIME_LIMIT = { timeout: 60_000 };

describe('with one agent', () => {
  let agent: ConsulAgent;
  before(async () => {
    agent = await startConsul();
  });
  after(() => agent.stop());
  const configOf = (prefix: string, options: ConsulConfigOptions = {}) =>
    new ConsulConfig({ address: agent.address, prefix, logger: silentLogger, ...options });

  test(
    'what is put can be got, by the whole and by the field, and listed and deleted',
    TIME_LIMIT,
    async () => {
      await using config = configOf('values');
      const database = { host: 'db', pool: { size: 5 } };
      assert.equal(await config.put('database', database), true);
      await config.put('greeting', 'hello');
      await config.put('logo', new Uint8Array([0, 159, 146, 150]));
      await config.put('database/replica one?&#%', null);
      assert.deepEqual(await config.get('database'), database);
      assert.equal(await config.get<number>('database', { at: 'pool.size' }), 5);
      assert.equal(await config.get('greeting'), 'hello');
      assert.deepEqual(await config.get('logo', { as: 'bytes' }), Buffer.from([0, 159, 146, 150]));
      assert.equal(await config.get('absent'), undefined);
      assert.equal(await agent.get('values/greeting'), 'hello');
      assert.deepEqual(
        (await config.list('database')).map(({ path, value }) => [path, value]),
        [
          ['database', database],
          ['database/replica one?&#%', null],
        ],
      );
      const bad: string[] = [];
      const all = await config.list('', { onBad: ({ path }) => bad.push(path) });
      assert.equal(all.length, 3);
      assert.deepEqual(bad, ['logo']);
      assert.equal(await config.delete('greeting'), true);
      assert.equal(await config.delete('greeting'), true);
      assert.equal(await config.get('greeting'), undefined);
    },
  );

  test(
    'the largest value that Consul takes is written and read, and one byte more is refused',
    TIME_LIMIT,
    async () => {
      await using config = configOf('large');
      const text = 'x'.repeat(512 * 1024);
      await config.put('a', text);
      assert.equal(await config.get('a'), text);
      await assert.rejects(config.put('a', `${text}x`), { code: Status.INVALID_ARGUMENT });
      assert.equal(await config.get('a'), text);
    },
  );

  test('of two who change the same version one is told that it came too late', TIME_LIMIT, async () => {
    await using config = configOf('cas');
    const absent = await config.entry('counter');
    assert.deepEqual(absent, { path: 'counter', value: undefined, version: 0n });
    const made = await Promise.all([1, 2].map((n) => config.put('counter', n, { ifUnchanged: absent })));
    assert.deepEqual(made.sort(), [false, true]);
    const entry = await config.entry<number>('counter');
    const results = await Promise.all(
      [10, 20, 30].map((n) => config.put('counter', entry.value! + n, { cas: entry.version })),
    );
    assert.equal(results.filter(Boolean).length, 1);
    assert.equal(await config.delete('counter', { ifUnchanged: entry }), false);
    assert.equal(await config.delete('counter', { ifUnchanged: absent }), false);
    const [listed] = await config.list('counter');
    assert.equal(await config.delete('counter', { ifUnchanged: listed! }), true);
    assert.equal(await config.delete('counter', { ifUnchanged: absent }), true);
  });

  test('counting by check-and-set loses nothing', TIME_LIMIT, async () => {
    await using config = configOf('count');
    const add = async () => {
      for (;;) {
        const entry = await config.entry<number>('n');
        if (await config.put('n', (entry.value ?? 0) + 1, { ifUnchanged: entry })) return;
      }
    };
    await Promise.all(Array.from({ length: 10 }, add));
    assert.equal(await config.get('n'), 10);
  });

  test('W7: a watch tells of new, changed and deleted values, and of no neighbours', TIME_LIMIT, async () => {
    await using config = configOf('watch');
    const { told, handler, until } = recorder();
    using watch = config.watch('features', handler);
    await watch.settled;
    assert.deepEqual(told, []);
    await agent.put('watch/features2', '0');
    await agent.put('watch/features/', '');
    await config.put('features/dark', true);
    await until('+features/dark=true');
    await config.put('features/dark', false);
    await until('features/dark=true>false');
    await config.put('features', 'all');
    await until('+features=all');
    await config.delete('features/dark');
    await until('-features/dark=false');
    assert.equal(told.length, 4);
    assert.deepEqual([...watch.values], [['features', 'all']]);
  });

  test('W7: a tree that is deleted at once is reported key by key', TIME_LIMIT, async () => {
    await using config = configOf('tree');
    for (const name of ['a', 'b', 'c']) await config.put(`x/${name}`, name);
    const { handler, until } = recorder();
    using _watch = config.watch('x/', handler);
    await until('+x/a=a', '+x/b=b', '+x/c=c');
    await agent.request('DELETE', '/kv/tree/x?recurse=true');
    await until('-x/a=a', '-x/b=b', '-x/c=c');
  });

  test('an iteration gives the changes one after the other', TIME_LIMIT, async () => {
    await using config = configOf('iterate');
    await config.put('a', 1);
    const words: string[] = [];
    for await (const change of config.changes<number>('')) {
      words.push(wordOf(change));
      if (words.length === 1) await config.put('a', 2);
      else if (words.length === 2) await config.delete('a');
      else break;
    }
    assert.deepEqual(words, ['+a=1', 'a=1>2', '-a=2']);
  });

  test('a slow handler skips states, but not the latest', TIME_LIMIT, async () => {
    await using config = configOf('slow');
    await config.put('n', 0);
    const told: string[] = [];
    const { handler, until } = recorder();
    using _fast = config.watch('n', handler);
    const last = new Promise<void>((resolve) => {
      config.watch('n', async (change: ConfigChange) => {
        told.push(wordOf(change));
        if (told.length === 1) {
          for (let n = 1; n <= 5; n++) {
            await config.put('n', n);
            await until(`n=${n - 1}>${n}`);
          }
        } else resolve();
      });
    });
    await last;
    assert.deepEqual(told, ['+n=0', 'n=0>5']);
  });

  test('W12: a hundred watches of one path hold one connection of the agent', TIME_LIMIT, async () => {
    await using proxy = await countingProxy(agent.address);
    await using config = configOf('crowd', { address: proxy.address });
    const all = Array.from({ length: 100 }, () => recorder());
    const watches = all.map(({ handler }) => config.watch('', handler));
    await Promise.all(watches.map(({ settled }) => settled));
    await config.put('a', 1);
    await Promise.all(all.map(({ until }) => until('+a=1')));
    assert.equal(proxy.most, 2); // One for the watch, one for requests.
  });
});

describe('with an agent that restarts', () => {
  test('F1: with its data, values are kept and later changes are told', TIME_LIMIT, async () => {
    await using agent = await startConsul();
    const logger = recordingLogger();
    await using config = new ConsulConfig({ address: agent.address, prefix: 'app', logger });
    await config.put('a', 1);
    const { told, handler, until } = recorder();
    using watch = config.watch('', handler);
    await until('+a=1');
    await agent.kill('SIGKILL');
    await untilState(watch, 'stale');
    assert.equal(watch.values.get('a'), 1);
    await agent.restart();
    await agent.put('app/a', '2');
    await until('a=1>2');
    assert.deepEqual(told, ['+a=1', 'a=1>2']);
    await untilState(watch, 'ready');
    const down = logger.lines.filter((line) => /cannot be read/.test(line.message));
    assert.equal(down.length, 1);
  });

  test(
    'W5 W15 F3: without its data, the last good values are kept until there are new ones',
    TIME_LIMIT,
    async () => {
      await using agent = await startConsul();
      await using config = new ConsulConfig({ address: agent.address, prefix: 'app', logger: silentLogger });
      for (let i = 0; i < 20; i++) await config.put('a', i); // So that the new index is lower.
      await config.put('b', 1);
      const { told, handler, until } = recorder();
      using watch = config.watch('', handler);
      await until('+a=19', '+b=1');
      await agent.kill('SIGKILL');
      await untilState(watch, 'stale');
      await agent.restart({ wipe: true });
      assert.equal(watch.values.get('a'), 19);
      await agent.put('app/a', '5');
      await until('a=19>5');
      assert.deepEqual(told.sort(), ['+a=19', '+b=1', '-b=1', 'a=19>5']);
    },
  );

  test('F3: without its data, deletions are told when lossGraceMs is over', TIME_LIMIT, async () => {
    await using agent = await startConsul();
    await using config = new ConsulConfig({ address: agent.address, lossGraceMs: 1, logger: silentLogger });
    await config.put('a', 1);
    const { handler, until } = recorder();
    using watch = config.watch('', handler);
    await until('+a=1');
    await agent.kill('SIGKILL');
    await untilState(watch, 'stale');
    await agent.restart({ wipe: true });
    await until('-a=1');
  });
});

describe('with access control', () => {
  test(
    'F16: who may not read or write is told what permission it takes, and the token is not shown',
    TIME_LIMIT,
    async () => {
      const token = '6d0f1e0a-53f1-4c39-8a43-75c2e5f1d0aa';
      await using agent = await startConsul({
        token,
        config: `acl { enabled = true default_policy = "deny" tokens { master = "${token}" agent = "${token}" } }`,
      });
      await using anonymous = new ConsulConfig({
        address: agent.address,
        prefix: 'app',
        logger: silentLogger,
      });
      await assert.rejects(anonymous.put('a', 1), (error: Error) => {
        assert.match(error.message, /key "app\/a" \{ policy = "write" \}/);
        assert.ok(!error.message.includes(token));
        return true;
      });
      await using config = new ConsulConfig({
        address: agent.address,
        token,
        prefix: 'app',
        logger: silentLogger,
      });
      await config.put('a', 1);
      assert.equal(await config.get('a'), 1);
      await assert.rejects(anonymous.get('a'), { code: Status.PERMISSION_DENIED });
    },
  );
});
