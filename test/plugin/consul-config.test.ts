import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import { RpcError, Status, silentLogger } from 'lictor';
import {
  type BadValue,
  ConsulConfig,
  type ConsulConfigOptions,
  type StandardSchema,
} from 'lictor/plugin/consul/config';
import { encodeValue } from '../../plugin/consul/config/value.js';
import { type FakeExchange, startFakeConsul } from '../consul/fake.js';
import { recorder, untilState } from './config-changes.js';
import { recordingLogger } from './log.js';

const TIME_LIMIT = { timeout: 60_000 };

type Step = { index: string; values?: Record<string, string>; status?: number; leader?: boolean };

/** A Consul that answers the steps one after the other, and then holds its answers. */
async function steps(...script: Step[]) {
  const next = [...script];
  const held: FakeExchange[] = [];
  const answer = (exchange: FakeExchange, step: Step) => {
    if (step.status !== undefined) return exchange.send(step.status, 'no', { 'x-consul-index': step.index });
    const headers = step.leader === false ? { 'x-consul-knownleader': 'false' } : {};
    exchange.list(step.values ?? {}, step.index, headers);
  };
  const fake = await startFakeConsul((exchange) => {
    // A look at a key that is listed no more: it is allowed, and the key is gone.
    if (!exchange.query.has('recurse')) return exchange.list({}, '1');
    const step = next.shift();
    if (step) answer(exchange, step);
    else held.push(exchange);
  });
  return {
    address: fake.address,
    exchanges: fake.exchanges,
    /** Answers what is held, or what comes next. */
    answer(step: Step) {
      const exchange = held.shift();
      if (exchange) answer(exchange, step);
      else next.push(step);
    },
    /** Forgets the oldest that is held, whose client has gone. */
    skip: () => void held.shift(),
    [Symbol.asyncDispose]: () => fake[Symbol.asyncDispose](),
  };
}

const configOf = (fake: { address: string }, options: ConsulConfigOptions = {}) =>
  new ConsulConfig({ address: fake.address, logger: silentLogger, ...options });

describe('paths', () => {
  const config = new ConsulConfig({ address: '127.0.0.1:1', prefix: 'app' });
  const refusal = { code: Status.INVALID_ARGUMENT };

  for (const path of [
    '',
    '/a',
    'a/',
    'a//b',
    '../a',
    'a/./b',
    'a/..',
    'a\0b',
    'a\nb',
    'a\ud800',
    'é'.repeat(513),
  ]) {
    test(`R1: ${JSON.stringify(path.slice(0, 12))} is refused before anything is sent`, async () => {
      await assert.rejects(config.get(path), refusal);
      await assert.rejects(config.put(path, 1), refusal);
      await assert.rejects(config.delete(path), refusal);
    });
  }

  test('R1: neither is one that is no text', async () => {
    await assert.rejects(config.get(5 as unknown as string), refusal);
  });

  for (const prefix of ['/app', 'a//b', '../a', 'app//']) {
    test(`the prefix ${prefix} is refused`, () =>
      assert.throws(() => new ConsulConfig({ prefix }), { code: Status.INVALID_ARGUMENT }));
  }

  test('a scope may be everything, a value, or a folder', () => {
    for (const scope of ['/a', 'a//', '..']) assert.throws(() => config.watch(scope), refusal);
    for (const scope of ['', 'a', 'a/b/']) config.watch(scope).stop();
  });
});

describe('options', () => {
  test('that cannot be meant are refused at once', async () => {
    const config = new ConsulConfig({ address: '127.0.0.1:1' });
    assert.throws(() => config.watch('a', undefined, { as: 'yaml' as 'json' }), /as: .*got "yaml"/);
    assert.throws(() => config.watch('a', undefined, { schema: {} as never }), /schema: .*parse/);
    assert.throws(() => config.watch('a', undefined, { at: '' }), /at: names.*got ""/);
    assert.throws(() => config.watch('a', undefined, { at: 'x', as: 'text' }), /no fields/);
    assert.throws(() => config.watch('a/', undefined, { at: 'x' }), /must not end/);
    assert.throws(() => new ConsulConfig({ lossGraceMs: -1 }), /lossGraceMs.*got -1/);
    await assert.rejects(config.put('a', 1, { cas: 5 as unknown as bigint }), /version.*got 5/);
    await assert.rejects(config.put('a', 1, { cas: 1n, ifUnchanged: { version: 1n } }), /only one/);
  });

  test('a condition that is undefined is no condition, and refused', async () => {
    const config = new ConsulConfig({ address: '127.0.0.1:1' });
    await assert.rejects(
      config.put('a', 1, { ifUnchanged: undefined } as unknown as object),
      /version.*got undefined/,
    );
    await assert.rejects(
      config.delete('a', { cas: undefined } as unknown as object),
      /version.*got undefined/,
    );
  });

  test('the token is not shown', () => {
    const token = 'e6d3a1f4-secret';
    assert.doesNotMatch(inspect(new ConsulConfig({ token }), { depth: 10, showHidden: true }), /e6d3a1f4/);
  });
});

describe('values', () => {
  const written = async (value: unknown) => {
    let body: Buffer | undefined;
    await using fake = await startFakeConsul(async (exchange) => {
      body = Buffer.concat(await exchange.request.toArray());
      exchange.send(200, 'true');
    });
    assert.equal(await configOf(fake).put('a', value), true);
    return body!;
  };

  test('a string is its text, bytes are themselves, anything else is JSON', async () => {
    assert.equal(String(await written('text')), 'text');
    assert.deepEqual([...(await written(new Uint8Array([0, 255])))], [0, 255]);
    assert.equal(String(await written({ a: [1, null] })), '{"a":[1,null]}');
    assert.equal(String(await written(false)), 'false');
  });

  test('what has no JSON, or is over 512 KiB, is refused before it is sent', async () => {
    const config = new ConsulConfig({ address: '127.0.0.1:1' });
    const circle: unknown[] = [];
    circle.push(circle);
    for (const value of [undefined, 1n, () => {}, circle, 'x'.repeat(512 * 1024 + 1), Buffer.alloc(600_000)])
      await assert.rejects(config.put('a', value), { code: Status.INVALID_ARGUMENT });
  });

  for (const [value, why] of [
    [Number.NaN, 'the value is NaN'],
    [{ pool: { size: Number.POSITIVE_INFINITY } }, 'pool.size is Infinity'],
    [{ list: [1, new Map([['a', 1]])] }, 'list.1 is a Map'],
    [{ run: () => {} }, 'run is a function'],
    [new Set(['a']), 'the value is a Set'],
  ] as const) {
    test(`what JSON would lose is refused before it is sent: ${why}`, async () => {
      const config = new ConsulConfig({ address: '127.0.0.1:1' });
      await assert.rejects(config.put('a', value), (error: RpcError) => {
        assert.equal(error.code, Status.INVALID_ARGUMENT);
        assert.ok(error.details.includes(why), error.details);
        return true;
      });
    });
  }

  test('dates, fields that are undefined and objects of a class are as JSON has them', async () => {
    class Pool {
      size = 5;
    }
    const value = { at: new Date(0), none: undefined, pool: new Pool(), no: Object.create(null) };
    assert.equal(
      String(encodeValue(value, 'a')),
      '{"at":"1970-01-01T00:00:00.000Z","pool":{"size":5},"no":{}}',
    );
  });

  const readAs = async (text: string | Buffer, options: Parameters<ConsulConfig['get']>[1] = {}) => {
    await using fake = await startFakeConsul((exchange) => {
      const Value = Buffer.from(text).toString('base64');
      exchange.send(200, JSON.stringify([{ Key: 'a', Value, ModifyIndex: 7 }]), { 'x-consul-index': '7' });
    });
    return await configOf(fake).get('a', options);
  };

  for (const [text, value] of [
    ['{"a":1}', { a: 1 }],
    [' [1]\n', [1]],
    ['"quoted"', 'quoted'],
    ['12', 12],
    ['-1.5e3', -1500],
    ['true', true],
    ['null', null],
    ['007', '007'],
    ['1.2.3', '1.2.3'],
    ['10 seconds', '10 seconds'],
    ['trueish', 'trueish'],
    ['', ''],
  ] as const) {
    test(`${JSON.stringify(text)} is read as ${inspect(value)}`, async () =>
      assert.deepEqual(await readAs(text), value));
  }

  test('the form can be said', async () => {
    assert.equal(await readAs('12', { as: 'text' }), '12');
    assert.deepEqual(await readAs('12', { as: 'bytes' }), Buffer.from('12'));
    await assert.rejects(readAs('plain', { as: 'json' }), { code: Status.FAILED_PRECONDITION });
  });

  test('B1: broken JSON, deep JSON and bytes that are not UTF-8 are errors that do not show the value', async () => {
    for (const text of ['{"password": "hunter2"', '['.repeat(100_000), Buffer.from([0x68, 0xff])]) {
      await assert.rejects(readAs(text), (error) => {
        assert.ok(error instanceof RpcError);
        assert.equal(error.code, Status.FAILED_PRECONDITION);
        assert.match(error.message, /"a"/);
        assert.doesNotMatch(error.message, /hunter2|\[\[/);
        return true;
      });
    }
  });

  test('B6: __proto__ in a value changes nothing but the value', async () => {
    const value = await readAs(
      '{"__proto__":{"admin":true},"constructor":{"prototype":{"admin":true}},"a":1}',
    );
    assert.deepEqual(value, { a: 1 });
    assert.equal(Object.assign({}, value as object, {} as { admin?: boolean }).admin, undefined);
  });

  test('one field is named with dots, or by a list where names have dots', async () => {
    const text = '{"pool":{"size":5,"a.b":[10,20]}}';
    assert.equal(await readAs(text, { at: 'pool.size' }), 5);
    assert.equal(await readAs(text, { at: ['pool', 'a.b', 1] }), 20);
    for (const at of ['pool.other', 'pool.size.x', 'constructor', 'pool.__proto__', 'pool.toString'])
      assert.equal(await readAs(text, { at }), undefined, at);
    assert.equal(await readAs(text, { at: ['pool', 'a.b', 'length'] }), undefined);
  });

  const size: StandardSchema<number> = {
    '~standard': {
      version: 1,
      validate: async (value) =>
        typeof value === 'number' ? { value } : { issues: [{ message: 'a number', path: ['size'] }] },
    },
  };

  test('a schema refuses, and gives what it makes of the value', async () => {
    assert.equal(await readAs('5', { schema: size }), 5);
    assert.equal(await readAs('5', { schema: { parse: (value: unknown) => Number(value) * 2 } }), 10);
    await assert.rejects(readAs('"five"', { schema: size }), /"a".*refused by the schema: size: a number/);
    const throwing = {
      parse() {
        throw new TypeError('not this');
      },
    };
    await assert.rejects(readAs('1', { schema: throwing }), /refused by the schema: not this/);
  });
});

describe('a watch', () => {
  test(
    'tells what is there, what changes and what is deleted, and knows the values',
    TIME_LIMIT,
    async () => {
      await using fake = await steps({
        index: '5',
        values: { 'app/db': '1', 'app/db/pool': '2', 'app/db/': '', 'app/db2': '9' },
      });
      const config = configOf(fake, { prefix: 'app/' });
      const { told, handler, until } = recorder();
      using watch = config.watch('db', handler);
      assert.deepEqual(watch.state, { kind: 'pending' });
      await watch.settled;
      assert.deepEqual(told, ['+db=1', '+db/pool=2']);
      assert.deepEqual(watch.state, { kind: 'ready' });
      fake.answer({ index: '6', values: { 'app/db': '1', 'app/db/pool': '3', 'app/db2': '8' } });
      await until('db/pool=2>3');
      fake.answer({ index: '7', values: { 'app/db/pool': '3' } });
      await until('-db=1');
      assert.deepEqual([...watch.values], [['db/pool', 3]]);
      fake.answer({ index: '8' });
      await until('-db/pool=3');
      assert.equal(told.length, 5);
    },
  );

  test('W6: JSON that is only written otherwise is no change', TIME_LIMIT, async () => {
    await using fake = await steps(
      { index: '5', values: { a: '{"x":1,"y":2}' } },
      { index: '6', values: { a: '{ "y": 2, "x": 1 }' } },
      { index: '7', values: { a: '{ "y": 2, "x": 1 }', b: 'end' } },
    );
    const { told, handler, until } = recorder();
    using _watch = configOf(fake).watch('', handler);
    await until('+b=end');
    assert.deepEqual(told, ['+a={"x":1,"y":2}', '+b=end']);
  });

  test(
    'of a field tells when the field changes, goes and comes, and of no other key',
    TIME_LIMIT,
    async () => {
      await using fake = await steps({ index: '5', values: { db: '{"pool":{"size":1}}', 'db/other': '7' } });
      const { told, handler, until } = recorder<number>();
      using watch = configOf(fake).watch('db', handler, { at: 'pool.size' });
      await watch.settled;
      fake.answer({ index: '6', values: { db: '{"pool":{"size":1},"log":true}' } });
      fake.answer({ index: '7', values: { db: '{"pool":{"size":2}}' } });
      await until('db=1>2');
      fake.answer({ index: '8', values: { db: '{"pool":{}}' } });
      await until('-db=2');
      fake.answer({ index: '9', values: { db: '{"pool":{"size":3}}' } });
      await until('+db=3');
      assert.deepEqual(told, ['+db=1', 'db=1>2', '-db=2', '+db=3']);
    },
  );

  test(
    'a bad value keeps the last good one and is reported once, without the value',
    TIME_LIMIT,
    async () => {
      const logger = recordingLogger();
      await using fake = await steps({ index: '5', values: { a: '1', b: '{"secret":' } });
      const { told, handler, until } = recorder<number>();
      const bad: BadValue<number>[] = [];
      const schema = {
        parse(value: unknown): number {
          if (typeof value !== 'number') throw new TypeError('a number is wanted');
          return value;
        },
      };
      const onBad = (one: BadValue<number>) => {
        bad.push(one);
        throw new Error('the handler of bad values is bad itself');
      };
      using watch = configOf(fake, { logger }).watch<number>('', handler, { schema, onBad });
      await watch.settled;
      fake.answer({ index: '6', values: { a: '"text"', b: '{"secret":' } });
      fake.answer({ index: '7', values: { a: '"text"', b: '{"secret":', c: '3' } });
      await until('+c=3');
      assert.equal(watch.values.get('a'), 1);
      fake.answer({ index: '8', values: { a: '2', c: '3' } });
      await until('a=1>2');
      assert.deepEqual(told, ['+a=1', '+c=3', 'a=1>2']);
      assert.deepEqual(
        bad.map(({ path, kept }) => [path, kept]),
        [
          ['b', undefined],
          ['a', 1],
        ],
      );
      assert.match(bad[1]!.error.message, /"a": refused by the schema: a number is wanted/);
      const reported = logger.lines.filter((line) => /is wrong/.test(line.message));
      assert.equal(reported.length, 2);
      assert.doesNotMatch(inspect(logger.lines, { depth: 10 }), /secret/);
    },
  );

  test('a good value that comes back after a bad one is no change', TIME_LIMIT, async () => {
    await using fake = await steps({ index: '5', values: { a: '[1]' } });
    const { told, handler, until } = recorder();
    using watch = configOf(fake).watch('', handler);
    await watch.settled;
    fake.answer({ index: '6', values: { a: '[1' } });
    fake.answer({ index: '7', values: { a: '[1]', b: '2' } });
    await until('+b=2');
    assert.deepEqual(told, ['+a=[1]', '+b=2']);
  });

  test('W11: a handler that throws or rejects is reported, and all others are told', TIME_LIMIT, async () => {
    const logger = recordingLogger();
    await using fake = await steps({ index: '5', values: { a: '1', b: '2' } });
    const config = configOf(fake, { logger });
    const { told, handler, until } = recorder();
    using throwing = config.watch('', ({ path }) => {
      throw new Error(`no ${path}`);
    });
    using rejecting = config.watch('', async ({ path }) => Promise.reject(new Error(`never ${path}`)));
    using _good = config.watch('', handler);
    await Promise.all([throwing.settled, rejecting.settled, until('+a=1', '+b=2')]);
    fake.answer({ index: '6', values: { a: '1', b: '3' } });
    await until('b=2>3');
    await throwing.settled;
    assert.equal(told.length, 3);
    const texts = logger.lines.map((line) => String((line.fields.error as Error).message));
    for (const text of ['no a', 'no b', 'never a', 'never b']) assert.ok(texts.includes(text), text);
  });

  test('W12: a thousand watches of one path share one request', TIME_LIMIT, async () => {
    await using fake = await steps({ index: '5', values: { 'x/a': '1' } });
    const config = configOf(fake);
    const all = Array.from({ length: 1_000 }, () => recorder());
    const watches = all.map(({ handler }) => config.watch('x', handler));
    await Promise.all(all.map(({ until }) => until('+x/a=1')));
    fake.answer({ index: '6', values: { 'x/a': '2' } });
    await Promise.all(all.map(({ until }) => until('x/a=1>2')));
    assert.equal(fake.exchanges.filter(({ query }) => !query.has('index')).length, 1);
    for (const watch of watches) watch.stop();
    assert.equal(new Set(fake.exchanges.map(({ request }) => request.socket.remotePort)).size, 1);
  });

  test('W10: after stop nothing is told, and a request in flight is cut', TIME_LIMIT, async () => {
    await using fake = await steps({ index: '5', values: { a: '1' } });
    const config = configOf(fake);
    const { told, handler, until } = recorder();
    const watch = config.watch('', handler);
    await until('+a=1');
    while (fake.exchanges.length < 2) await sleep(5);
    const cut = once(fake.exchanges[1]!.response, 'close');
    config.stopWatch('');
    await cut;
    watch.stop();
    assert.deepEqual(told, ['+a=1']);
  });

  test('W10: a handler that stops its own watch is told nothing more', TIME_LIMIT, async () => {
    await using fake = await steps({ index: '5', values: { a: '1', b: '2', c: '3' } });
    const told: string[] = [];
    const watch = configOf(fake).watch('', ({ path }) => {
      told.push(path);
      watch.stop();
    });
    await watch.settled;
    assert.deepEqual(told, ['a']);
  });

  test('is closed with its ConsulConfig, which then refuses everything', TIME_LIMIT, async () => {
    await using fake = await steps({ index: '5', values: { a: '1' } });
    const config = configOf(fake);
    const watch = config.watch('');
    await watch.settled;
    await config[Symbol.asyncDispose]();
    await config[Symbol.asyncDispose]();
    await assert.rejects(config.get('a'), /is closed/);
    assert.throws(() => config.watch('a'), /is closed/);
  });

  test('as an iteration, which ends with its signal, or when it is left', TIME_LIMIT, async () => {
    await using fake = await steps({ index: '5', values: { a: '1' } });
    const config = configOf(fake);
    const stop = new AbortController();
    const seen: unknown[] = [];
    for await (const change of config.changes('', { signal: stop.signal })) {
      seen.push(change);
      stop.abort();
    }
    assert.deepEqual(seen, [{ kind: 'set', path: 'a', value: 1, previous: undefined }]);
    const aborted = config.changes('', { signal: AbortSignal.abort() });
    assert.equal((await aborted.next()).done, true);
  });
});

describe('when Consul is away', () => {
  test(
    'the last good values are kept, the state tells since when, and one line is logged',
    TIME_LIMIT,
    async () => {
      const logger = recordingLogger();
      await using fake = await steps({ index: '5', values: { a: '1' } });
      const { told, handler, until } = recorder();
      const config = configOf(fake, { logger });
      using watch = config.watch('', handler);
      using second = config.watch('', () => {});
      await Promise.all([watch.settled, second.settled]);
      for (let i = 0; i < 3; i++) fake.answer({ index: '5', status: 500 });
      await untilState(watch, 'stale');
      assert.equal(watch.state.kind, 'stale');
      assert.equal(watch.values.get('a'), 1);
      fake.answer({ index: '9', values: { a: '1', b: '2' } });
      await until('+b=2');
      await second.settled;
      assert.deepEqual(told, ['+a=1', '+b=2']);
      assert.deepEqual(
        logger.lines.map((line) => line.message),
        [
          'the configuration cannot be read from Consul; the last values are kept',
          'the configuration can be read from Consul again',
        ],
      );
    },
  );

  test('from the start, a watch settles as failed and goes on trying', TIME_LIMIT, async () => {
    await using fake = await steps({ index: '5', status: 500 }, { index: '5', values: { a: '1' } });
    const { handler, until } = recorder();
    using watch = configOf(fake).watch('', handler);
    await watch.settled;
    assert.equal(watch.state.kind, 'failed');
    await until('+a=1');
  });

  for (const [what, status, body] of [
    ['a page of a proxy', 200, '<html>busy</html>'],
    ['null', 200, 'null'],
    ['a list of null', 200, '[null]'],
    ['half a list', 200, '[{"Key":"a","Val'],
    ['a 404 of somebody else', 404, 'not found'],
    ['a redirect', 301, ''],
    ['too many requests', 429, 'slow down'],
  ] as const) {
    test(`F15: ${what} is an outage and no change`, TIME_LIMIT, async () => {
      await using fake = await startFakeConsul((exchange, count) => {
        if (count === 1) exchange.list({ a: '1' }, '5');
        else if (count === 2) exchange.send(status, body, status === 404 ? {} : { 'x-consul-index': '6' });
        else if (count === 3) exchange.list({ a: '1', b: '2' }, '7');
      });
      const { told, handler, until } = recorder();
      using watch = configOf(fake).watch('', handler);
      await untilState(watch, 'stale');
      assert.equal(watch.values.get('a'), 1);
      await until('+b=2');
      assert.deepEqual(told, ['+a=1', '+b=2']);
    });
  }

  test(
    'F12: an answer with an index of 0 is an outage, and not asked for again at once',
    TIME_LIMIT,
    async () => {
      await using fake = await steps({ index: '5', values: { a: '1' } });
      using watch = configOf(fake).watch('');
      await watch.settled;
      fake.answer({ index: '0', values: { a: '2' } });
      await untilState(watch, 'stale');
      assert.equal(watch.values.get('a'), 1);
      assert.equal(fake.exchanges.length, 2);
    },
  );

  for (const [what, script] of [
    ['after an outage', [{ index: '5', status: 500 }, { index: '9' }]],
    ['with a lower index', [{ index: '2' }]],
    ['with the same index, as when the token may not read any more', [{ index: '5' }]],
    ['of a server without a leader', [{ index: '9', leader: false }]],
  ] as const) {
    test(`W15: an empty answer ${what} is held back`, TIME_LIMIT, async () => {
      await using fake = await steps({ index: '5', values: { a: '1' } });
      const { told, handler, until } = recorder();
      using watch = configOf(fake).watch('', handler);
      await watch.settled;
      for (const step of script) fake.answer(step);
      fake.answer({ index: '20', values: { a: '1', b: '2' } });
      await until('+b=2');
      assert.deepEqual(told, ['+a=1', '+b=2']);
    });

    test(`W15: it is believed at once ${what} where lossGraceMs is 0`, TIME_LIMIT, async () => {
      await using fake = await steps({ index: '5', values: { a: '1' } });
      const { handler, until } = recorder();
      using watch = configOf(fake, { lossGraceMs: 0 }).watch('', handler);
      await watch.settled;
      for (const step of script) fake.answer({ ...step, leader: true });
      await until('-a=1');
    });
  }

  test('W15: it is believed when lossGraceMs is over', TIME_LIMIT, async () => {
    await using fake = await steps({ index: '5', values: { a: '1' } }, { index: '2' }, { index: '2' });
    const { handler, until } = recorder();
    using watch = configOf(fake, { lossGraceMs: 1 }).watch('', handler);
    await untilState(watch, 'stale');
    assert.equal(watch.values.get('a'), 1);
    fake.answer({ index: '2' });
    fake.answer({ index: '2' });
    await until('-a=1');
    await untilState(watch, 'ready');
  });

  test('W15: meanwhile the state says that all is gone, and so does the log, once', TIME_LIMIT, async () => {
    const logger = recordingLogger();
    await using fake = await steps({ index: '5', values: { a: '1' } }, { index: '2' });
    using watch = configOf(fake, { logger }).watch('');
    await untilState(watch, 'stale');
    assert.match(watch.state.kind === 'stale' ? watch.state.error.message : '', /all keys under "" are gone/);
    fake.answer({ index: '2' });
    fake.answer({ index: '3', values: { a: '1' } });
    await untilState(watch, 'ready');
    assert.equal(logger.lines.filter((line) => /last values are kept/.test(line.message)).length, 1);
  });

  test('W15: an empty answer after a reset is held back too', TIME_LIMIT, async () => {
    await using fake = await steps({ index: '5', values: { a: '1' } });
    const config = configOf(fake);
    const { told, handler, until } = recorder();
    using watch = config.watch('', handler);
    await watch.settled;
    while (fake.exchanges.length < 2) await sleep(5);
    const cut = once(fake.exchanges[1]!.response, 'close');
    config.reset();
    await cut;
    fake.skip();
    fake.answer({ index: '9' });
    await untilState(watch, 'stale');
    fake.answer({ index: '10', values: { a: '1', b: '2' } });
    await until('+b=2');
    assert.deepEqual(told, ['+a=1', '+b=2']);
  });

  test('a reset asks at once, and tells only what differs', TIME_LIMIT, async () => {
    await using fake = await steps({ index: '5', values: { a: '1' } });
    const config = configOf(fake);
    const { told, handler, until } = recorder();
    using watch = config.watch('', handler);
    await watch.settled;
    while (fake.exchanges.length < 2) await sleep(5);
    fake.answer({ index: '5', status: 403 }); // It would now wait for a second.
    await untilState(watch, 'failed');
    assert.equal(watch.values.get('a'), 1);
    fake.answer({ index: '6', values: { a: '1', b: '2' } });
    config.reset();
    await until('+b=2');
    assert.deepEqual(told, ['+a=1', '+b=2']);
    const last = fake.exchanges.findLast(({ query }) => !query.has('index'))!;
    assert.equal(last.query.get('index'), null);
  });
});
