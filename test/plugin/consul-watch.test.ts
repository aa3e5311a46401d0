import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { inspect } from 'node:util';
import * as watch from '../../plugin/consul/watch/watch.js';
import type { RpcError } from '../../rpc/error.js';
import { silentLogger } from '../../rpc/log.js';
import { Status, statusName } from '../../rpc/status.js';
import { type FakeExchange, startFakeConsul } from '../consul/fake.js';
import { deferred } from '../deferred.js';
import { recordingLogger } from './log.js';

const TIME_LIMIT = { timeout: 20_000 };
const { parse } = watch;

type Reply = (exchange: FakeExchange) => void;
const json =
  (value: unknown, index?: string, headers: Record<string, string> = {}): Reply =>
  ({ send }) =>
    send(200, JSON.stringify(value), {
      ...(index === undefined ? {} : { 'x-consul-index': index }),
      ...headers,
    });
const absent =
  (index: string): Reply =>
  ({ send }) =>
    send(404, '', { 'x-consul-index': index });
const failing: Reply = ({ send }) => send(500, 'broken');
const hold: Reply = () => {};

/** Answers one request after the other as the script says, and holds all that come later. */
const startScript = (...script: readonly Reply[]) =>
  startFakeConsul((exchange, count) => (script[count - 1] ?? hold)(exchange));

const queriesOf = (exchanges: readonly FakeExchange[]) =>
  exchanges.map(({ query }) => query.get('index') ?? query.get('hash'));

const pair = (Key: string, text: string, ModifyIndex = 1) => ({
  Key,
  Value: Buffer.from(text).toString('base64'),
  Flags: 0,
  LockIndex: 0,
  CreateIndex: 1,
  ModifyIndex,
});
const event = (number: number, LTime = number) => ({
  ID: `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`,
  Name: 'deploy',
  Payload: null,
  NodeFilter: '',
  ServiceFilter: '',
  TagFilter: '',
  Version: 1,
  LTime,
});

/** Runs a plan until it has been told so many results; what it was told, and asked. */
async function run(params: watch.WatchParams, results: number, ...script: readonly Reply[]) {
  await using fake = await startScript(...script);
  const plan = parse(params, { logger: silentLogger });
  const told: { index: bigint | string; result: unknown }[] = [];
  const failures: RpcError[] = [];
  plan.onFailure = (error) => failures.push(error);
  for await (const found of plan.results(fake.address)) {
    told.push(found);
    if (told.length === results) break;
  }
  return {
    indexes: told.map(({ index }) => index),
    results: told.map(({ result }) => result),
    failures,
    asked: queriesOf(fake.exchanges),
    exchanges: fake.exchanges,
  };
}

const values = (results: readonly unknown[]) =>
  results.map((result) =>
    (result as watch.KVPair[]).map(({ Key, Value }) => `${Key}=${Buffer.from(Value ?? '', 'base64')}`),
  );
const ids = (results: readonly unknown[]) =>
  results.map((result) => (result as watch.UserEvent[]).map(({ ID }) => Number(ID.slice(-12))));

describe('W16 parsing what to watch', () => {
  const refused: [params: unknown, message: RegExp][] = [
    [undefined, /an object of parameters is wanted, got undefined/],
    [[], /an object of parameters is wanted, got \[\]/],
    [{}, /parameter "type" is missing: one of key, keyprefix, services/],
    [{ type: 'keys' }, /parameter "type": one of .* is wanted, got "keys"/],
    [{ type: 'constructor' }, /parameter "type": one of/],
    [{ type: 7 }, /parameter "type": a string is wanted, got 7/],
    [{ type: 'key' }, /parameter "key" is missing for type "key"/],
    [{ type: 'key', key: '' }, /parameter "key" is missing/],
    [{ type: 'key', key: 5 }, /parameter "key": a string is wanted, got 5/],
    [{ type: 'key', key: '/a' }, /parameter "key": "\/a" must not start with "\/"/],
    [{ type: 'key', key: 'a/../b' }, /parameter "key": .*empty segment/],
    [
      { type: 'key', key: 'a', prefix: 'a/' },
      /unknown parameter "prefix" for type "key", which takes type, /,
    ],
    [{ type: 'key', key: 'a', stale: 'yes' }, /parameter "stale": true or false is wanted, got "yes"/],
    [{ type: 'keyprefix' }, /parameter "prefix" is missing/],
    [{ type: 'keyprefix', prefix: 'a//' }, /parameter "prefix": .*empty segment/],
    [{ type: 'keyprefix', prefix: 'a\n' }, /parameter "prefix": "a\\n" has a control character/],
    [{ type: 'services', service: 'web' }, /unknown parameter "service"/],
    [{ type: 'nodes', tag: 'a', name: 'b' }, /unknown parameter "tag", "name" for type "nodes"/],
    [{ type: 'service' }, /parameter "service" is missing/],
    [{ type: 'service', service: 'web', tag: 5 }, /parameter "tag": a string .* got 5/],
    [{ type: 'service', service: 'web', tag: ['a', 5] }, /parameter "tag": .* got \["a",5\]/],
    [{ type: 'service', service: 'web', tag: '' }, /parameter "tag": .*not empty/],
    [{ type: 'service', service: 'web', passingonly: 'true' }, /parameter "passingonly": true or false/],
    [{ type: 'checks', service: 'web', state: 'any' }, /"service" and "state" cannot be given together/],
    [{ type: 'checks', state: 'ok' }, /parameter "state": one of any, passing, warning, critical .* "ok"/],
    [{ type: 'checks', tag: 'a' }, /unknown parameter "tag"/],
    [{ type: 'event', stale: true }, /unknown parameter "stale" for type "event"/],
    [{ type: 'agent_service' }, /parameter "service_id" is missing/],
    [{ type: 'key', key: 'a', datacenter: 1 }, /parameter "datacenter": a string is wanted/],
    [{ type: 'key', key: 'a', token: ['s3cr3t'] }, /parameter "token": a string is wanted, got object$/],
  ];
  for (const [params, message] of refused) {
    test(`refuses ${inspect(params)} by name`, () => {
      assert.throws(
        () => parse(params as never),
        (error: RpcError) => {
          assert.match(error.details, message);
          assert.doesNotMatch(error.details, /s3cr3t/);
          return error.code === Status.INVALID_ARGUMENT;
        },
      );
    });
  }

  test('takes the parameters of each type, and those that are undefined for not given', () => {
    const all: watch.WatchParams[] = [
      { type: 'key', key: 'a/b', stale: true, datacenter: 'dc1', token: 't' },
      { type: 'keyprefix', prefix: 'a', token: undefined },
      { type: 'services' },
      { type: 'nodes', filter: 'Meta.a == "b"' },
      { type: 'service', service: 'web', tag: ['a', 'b'], passingonly: true },
      { type: 'checks', state: 'critical' },
      { type: 'event', name: 'deploy' },
      { type: 'agent_service', service_id: 'web1' },
    ];
    for (const params of all) assert.equal(parse(params).type, params.type);
  });

  test('shows the token nowhere', () => {
    const plan = parse({ type: 'key', key: 'a', token: 's3cr3t' });
    assert.doesNotMatch(inspect(plan, { depth: 9, showHidden: true }), /s3cr3t/);
  });
});

test(
  'W1 W16 a question goes out with its parameters, first without an index, then waiting',
  TIME_LIMIT,
  async () => {
    const params: watch.WatchParams = {
      type: 'service',
      service: 'web/a b',
      tag: ['a', 'b'],
      passingonly: true,
      filter: 'x',
      stale: true,
      datacenter: 'dc2',
      token: 's3cr3t',
    };
    const { exchanges } = await run(params, 2, json([], '5'), json([{ Node: { ID: 'n' } }], '6'));
    const [first, second] = exchanges;
    assert.equal(first?.path, '/v1/health/service/web%2Fa%20b');
    assert.equal(String(first?.query), 'tag=a&tag=b&passing=1&filter=x&dc=dc2&stale=1');
    assert.equal(String(second?.query), `${first?.query}&index=5&wait=55000ms`);
    for (const { request } of exchanges) {
      assert.equal(request.headers['x-consul-token'], 's3cr3t');
      assert.doesNotMatch(request.url ?? '', /s3cr3t/);
    }
  },
);

test('W16 each type asks its endpoint', TIME_LIMIT, async () => {
  const asked: [watch.WatchParams, address: string, reply: unknown][] = [
    [{ type: 'key', key: 'a/b' }, '/v1/kv/a%2Fb?consistent=1', []],
    [{ type: 'keyprefix', prefix: 'a/' }, '/v1/kv/a%2F?recurse=true&consistent=1', []],
    [{ type: 'services' }, '/v1/catalog/services?consistent=1', {}],
    [{ type: 'nodes' }, '/v1/catalog/nodes?consistent=1', []],
    [{ type: 'service', service: 'web', tag: 'a' }, '/v1/health/service/web?tag=a&consistent=1', []],
    [{ type: 'checks' }, '/v1/health/state/any?consistent=1', []],
    [{ type: 'checks', state: 'warning' }, '/v1/health/state/warning?consistent=1', []],
    [{ type: 'checks', service: 'web' }, '/v1/health/checks/web?consistent=1', []],
    [{ type: 'event', name: 'a' }, '/v1/event/list?name=a', []],
  ];
  for (const [params, address, reply] of asked) {
    const { exchanges } = await run(params, 1, json(reply, '1'));
    assert.equal(exchanges[0]?.request.url, address);
  }
});

test('W2 an index of 64 bits reaches the handler whole, and goes back as it came', TIME_LIMIT, async () => {
  const { indexes, asked } = await run(
    { type: 'keyprefix', prefix: 'a/' },
    2,
    json([pair('a/b', '1')], '18446744073709551614'),
    json([pair('a/b', '2')], '18446744073709551615'),
  );
  assert.deepEqual(indexes, [18446744073709551614n, 18446744073709551615n]);
  assert.deepEqual(asked.slice(0, 2), [null, '18446744073709551614']);
});

test(
  'W3 a lower index makes the next question start afresh, and its data is told once',
  TIME_LIMIT,
  async () => {
    const { results, asked } = await run(
      { type: 'keyprefix', prefix: 'a/' },
      3,
      json([pair('a/b', '1')], '100'),
      json([pair('a/b', '2')], '50'),
      json([pair('a/b', '2')], '50'),
      json([pair('a/b', '3')], '51'),
    );
    assert.deepEqual(values(results), [['a/b=1'], ['a/b=2'], ['a/b=3']]);
    assert.deepEqual(asked.slice(0, 4), [null, '100', null, '50']);
  },
);

test('W4 an answer with index 0 is a failure, and is not told', TIME_LIMIT, async () => {
  const { results, failures } = await run(
    { type: 'keyprefix', prefix: 'a/' },
    1,
    json([pair('a/b', '1')], '0'),
    json([pair('a/b', '2')], '5'),
  );
  assert.deepEqual(values(results), [['a/b=2']]);
  assert.match(failures[0]?.details ?? '', /without an index/);
});

test(
  'W5 W6 after an error the index is forgotten, and the same data is not told again',
  TIME_LIMIT,
  async () => {
    const { results, asked, failures } = await run(
      { type: 'keyprefix', prefix: 'a/' },
      2,
      json([pair('a/b', '1')], '100'),
      failing,
      json([pair('a/b', '1')], '7'),
      json([pair('a/b', '2')], '8'),
    );
    assert.deepEqual(values(results), [['a/b=1'], ['a/b=2']]);
    assert.deepEqual(asked.slice(0, 4), [null, '100', null, '7']);
    assert.equal(failures.length, 1);
  },
);

test('W6 W14 indexes, order and the output of checks are no change', TIME_LIMIT, async () => {
  const check = (CheckID: string, Output: string, ModifyIndex: number) => ({ CheckID, Output, ModifyIndex });
  const { results } = await run(
    { type: 'checks' },
    2,
    json([check('a', 'x', 1), check('b', 'x', 1)], '5'),
    json([check('b', 'y', 6), check('a', 'x', 6)], '6'),
    json([check('b', 'y', 6), check('a', 'x', 6)], '6'),
    json([check('b', 'y', 6)], '7'),
  );
  assert.deepEqual(
    results.map((checks) => (checks as watch.HealthCheck[]).map(({ CheckID }) => CheckID)),
    [['a', 'b'], ['b']],
  );
});

test(
  'W7 an absent prefix is an empty list, which is told first; a deletion is told',
  TIME_LIMIT,
  async () => {
    const { results } = await run(
      { type: 'keyprefix', prefix: 'a/' },
      3,
      absent('1'),
      json([pair('a/b', '1')], '2'),
      absent('3'),
      absent('3'), // A look at a/b, which is allowed.
    );
    assert.deepEqual(values(results), [[], ['a/b=1'], []]);
  },
);

test('W7 an absent key is null, which is told first; a deletion is told', TIME_LIMIT, async () => {
  const { results } = await run(
    { type: 'key', key: 'a' },
    3,
    absent('1'),
    json([pair('a', '1')], '2'),
    absent('3'),
  );
  assert.deepEqual(
    results.map((result) => (result as watch.KVPair | null)?.Key),
    [undefined, 'a', undefined],
  );
  assert.equal(results[0], null);
});

test(
  'W9 status 500 and 429, cut and foreign answers are tried again, and told once',
  TIME_LIMIT,
  async () => {
    const { results, failures } = await run(
      { type: 'keyprefix', prefix: 'a/' },
      1,
      failing,
      ({ send }) => send(429, 'too many'),
      ({ response }) => {
        response.writeHead(200, { 'content-length': '100', 'x-consul-index': '5' });
        response.write('[', () => response.destroy());
      },
      ({ send }) => send(200, '<html>', { 'x-consul-index': '5' }),
      json({ not: 'a list' }, '5'),
      ({ send }) => send(404, 'a proxy'),
      json([pair('a/b', '1')], '5'),
    );
    assert.deepEqual(values(results), [['a/b=1']]);
    assert.deepEqual(
      failures.map(({ code }) => statusName(code)),
      ['UNAVAILABLE'],
    );
  },
);

test('a refusal names the permission that is missing, never the token', TIME_LIMIT, async () => {
  const { failures } = await run(
    { type: 'key', key: 'a/b', token: 's3cr3t' },
    1,
    ({ send }) => send(403, 'Permission denied: s3cr3t', { 'content-type': 'text/plain' }),
    json([pair('a/b', '1')], '5'),
  );
  assert.equal(failures[0]?.code, Status.PERMISSION_DENIED);
  assert.match(failures[0].details, /it needs key "a\/b" \{ policy = "read" \}/);
  assert.doesNotMatch(inspect(failures[0], { depth: 9, showHidden: true }), /s3cr3t/);
});

test('an empty answer without a cluster leader is not believed', TIME_LIMIT, async () => {
  const { results, failures } = await run(
    { type: 'services', stale: true },
    1,
    json({}, '5', { 'x-consul-knownleader': 'false' }),
    json({ web: [] }, '5'),
  );
  assert.deepEqual(results, [{ web: [] }]);
  assert.match(failures[0]?.details ?? '', /no cluster leader/);
});

describe('W10 a plan that is stopped', () => {
  test('before it runs asks nothing', TIME_LIMIT, async () => {
    await using fake = await startScript();
    const plan = parse({ type: 'nodes' });
    assert.equal(plan.isStopped, false);
    plan.stop();
    assert.equal(plan.isStopped, true);
    await plan.run(fake.address);
    assert.equal(fake.exchanges.length, 0);
  });

  test('destroys the question that waits, and calls nobody any more', TIME_LIMIT, async () => {
    const held = deferred<FakeExchange>();
    await using fake = await startScript(json([], '5'), held.resolve);
    const plan = parse({ type: 'nodes' });
    const told: unknown[] = [];
    plan.handler = (index) => told.push(index);
    plan.onFailure = (error) => told.push(error);
    const ended = plan.run(fake.address);
    const { response } = await held.promise;
    const closed = once(response, 'close');
    plan.stop();
    plan.stop();
    await Promise.all([closed, ended]);
    assert.deepEqual(told, [5n]);
  });

  test('destroys it even while the handler is busy', TIME_LIMIT, async () => {
    const held = deferred<FakeExchange>();
    await using fake = await startScript(json([], '5'), held.resolve);
    const plan = parse({ type: 'nodes' });
    const finish = deferred<void>();
    const aborted = deferred<void>();
    plan.handler = (_index, _result, signal) => {
      signal.addEventListener('abort', () => aborted.resolve());
      return finish.promise;
    };
    const ended = plan.run(fake.address);
    const { response } = await held.promise;
    const closed = once(response, 'close');
    plan.stop();
    await Promise.all([closed, aborted.promise]);
    finish.resolve();
    await ended;
  });

  test('ends during its back-off', TIME_LIMIT, async () => {
    await using fake = await startFakeConsul(failing);
    const plan = parse({ type: 'nodes' });
    const failures: string[] = [];
    plan.handler = () => assert.fail('there was nothing to tell');
    plan.onFailure = ({ status }) => {
      failures.push(status);
      plan.stop();
    };
    await plan.run(fake.address);
    assert.deepEqual(failures, ['UNAVAILABLE']);
    assert.equal(fake.exchanges.length, 1);
  });

  test('by its own handler is not called again', TIME_LIMIT, async () => {
    await using fake = await startFakeConsul((exchange, count) =>
      json([{ ID: String(count) }], String(count))(exchange),
    );
    const plan = parse({ type: 'nodes' });
    let calls = 0;
    plan.handler = () => {
      calls++;
      plan.stop();
    };
    await plan.run(fake.address);
    assert.equal(calls, 1);
  });
});

test('W10 who leaves the loop over results ends the question', TIME_LIMIT, async () => {
  const held = deferred<FakeExchange>();
  await using fake = await startScript(json([], '5'), held.resolve);
  for await (const { index } of parse({ type: 'nodes' }).results(fake.address)) {
    assert.equal(index, 5n);
    await held.promise;
    break;
  }
  const { response } = await held.promise;
  if (!response.closed) await once(response, 'close');
});

test('W11 a handler or listener that throws is reported, and the plan goes on', TIME_LIMIT, async () => {
  await using fake = await startScript(
    json([], '5'),
    json([{ ID: 'b' }], '6'),
    failing,
    json([{ ID: 'c' }], '7'),
  );
  const logger = recordingLogger();
  const plan = parse({ type: 'nodes' }, { logger });
  const told: bigint[] = [];
  plan.handler = async (index) => {
    told.push(index);
    if (index === 7n) plan.stop();
    throw new Error(`oh ${index}`);
  };
  plan.onFailure = () => {
    throw new Error('oh dear');
  };
  await plan.run(fake.address);
  assert.deepEqual(told, [5n, 6n, 7n]);
  assert.deepEqual(
    logger.lines.map(({ fields }) => fields?.reason),
    ['oh 5', 'oh 6', 'oh dear'],
  );
});

test('W11 without a listener a failure is a warning that names the type', TIME_LIMIT, async () => {
  await using fake = await startScript(failing, json([], '5'));
  const logger = recordingLogger();
  const plan = parse({ type: 'nodes' }, { logger });
  plan.handler = () => plan.stop();
  await plan.run(fake.address);
  assert.equal(logger.lines.length, 1);
  assert.equal(logger.lines[0]?.level, 'warn');
  assert.equal(logger.lines[0]?.fields?.type, 'nodes');
});

test('W12 a hundred plans that ask the same hold one question', TIME_LIMIT, async () => {
  await using fake = await startScript(json([], '5'), json([{ ID: 'b' }], '6'));
  const plans = Array.from({ length: 100 }, () => parse({ type: 'nodes' }));
  const told = await Promise.all(
    plans.map(async (plan) => {
      const indexes: bigint[] = [];
      plan.handler = (index) => {
        indexes.push(index);
        if (index === 6n) plan.stop();
      };
      await plan.run(fake.address);
      return indexes.at(-1);
    }),
  );
  assert.deepEqual(new Set(told), new Set([6n]));
  assert.ok(fake.exchanges.length <= 3, `${fake.exchanges.length} questions`);
});

describe('W16 events', () => {
  const e = (...numbers: number[]) => numbers.map((number) => event(number));

  test('are told once each, by their IDs, though the index goes up and down', TIME_LIMIT, async () => {
    const { results, indexes, asked } = await run(
      { type: 'event' },
      4,
      json(e(1, 2), '15000000000000000001'),
      json(e(1, 2, 3), '7'),
      json(e(2, 3, 4, 5), '14000000000000000000'),
      json(e(6), '9'),
    );
    assert.deepEqual(ids(results), [[1, 2], [3], [4, 5], [6]]);
    assert.deepEqual(indexes, [15000000000000000001n, 7n, 14000000000000000000n, 9n]);
    // No lower index costs an extra question: it says nothing of lost data.
    assert.deepEqual(asked.slice(0, 4), [null, '15000000000000000001', '7', '14000000000000000000']);
  });

  test('are not replayed after an error', TIME_LIMIT, async () => {
    const { results, asked } = await run(
      { type: 'event' },
      2,
      json(e(1, 2), '5'),
      failing,
      json(e(1, 2), '5'),
      json(e(1, 2, 3), '6'),
    );
    assert.deepEqual(ids(results), [[1, 2], [3]]);
    assert.deepEqual(asked.slice(0, 4), [null, '5', null, '5']);
  });

  test('are not replayed when another agent lists them in another order', TIME_LIMIT, async () => {
    const { results } = await run({ type: 'event' }, 2, json(e(1, 2, 3), '5'), json(e(3, 4, 1, 2), '6'));
    assert.deepEqual(ids(results), [[1, 2, 3], [4]]);
  });

  test('that no event is there is told first', TIME_LIMIT, async () => {
    const { results } = await run({ type: 'event' }, 2, json([], '1'), json(e(1), '6'));
    assert.deepEqual(ids(results), [[], [1]]);
  });

  test('are all told to a slow reader', TIME_LIMIT, async () => {
    const held = deferred<FakeExchange>();
    await using fake = await startScript(
      json(e(1), '5'),
      json(e(1, 2), '6'),
      json(e(1, 2, 3), '7'),
      held.resolve,
    );
    const told: unknown[] = [];
    for await (const { result } of parse({ type: 'event' }).results(fake.address)) {
      told.push(result);
      if (told.length === 1) await held.promise;
      if (told.length === 2) break;
    }
    assert.deepEqual(ids(told), [[1], [2, 3]]);
  });
});

describe('W16 a service of the agent', () => {
  const params: watch.WatchParams = { type: 'agent_service', service_id: 'web1' };
  const service = (Port: number) =>
    json({ ID: 'web1', Port }, undefined, { 'x-consul-contenthash': `h${Port}` });
  const unknown: Reply = ({ send }) => send(404, 'unknown service ID: web1');

  test('is followed by its hash, in any order of hashes', TIME_LIMIT, async () => {
    const { results, indexes, asked } = await run(params, 3, service(9), service(3), service(5));
    assert.deepEqual(
      results.map((result) => (result as watch.AgentService).Port),
      [9, 3, 5],
    );
    assert.deepEqual(indexes, ['h9', 'h3', 'h5']);
    assert.deepEqual(asked.slice(0, 3), [null, 'h9', 'h3']);
  });

  test('that is not there is null, and is told when it comes', TIME_LIMIT, async () => {
    const { results, asked, failures } = await run(params, 3, unknown, service(9), unknown);
    assert.deepEqual(
      results.map((result) => (result as watch.AgentService | null)?.Port),
      [undefined, 9, undefined],
    );
    assert.deepEqual(asked.slice(0, 3), [null, null, 'h9']);
    assert.deepEqual(failures, []);
  });

  test("is not absent because of a proxy's 404", TIME_LIMIT, async () => {
    const { results, failures } = await run(params, 1, ({ send }) => send(404, 'no route'), service(9));
    assert.equal(results.length, 1);
    assert.equal(failures.length, 1);
  });
});

test('R7 flags of 64 bits come whole, and are printed as Go prints them', TIME_LIMIT, async () => {
  const text = '[{"Key":"a","Flags":3304740253564472344,"Value":null}]';
  const { results } = await run({ type: 'key', key: 'a' }, 1, ({ send }) =>
    send(200, text, { 'x-consul-index': '5' }),
  );
  assert.equal((results[0] as watch.KVPair).Flags, 3304740253564472344n);
  assert.match(watch.formatJson(results[0]), /"Flags":3304740253564472344,"Value":null,"Session":""/);
});

test('a bad address, and a time-out that is none, reject the run', async () => {
  const plan = parse({ type: 'nodes' });
  await assert.rejects(plan.run('http://user:s3cr3t@x'), (error: RpcError) => {
    assert.doesNotMatch(error.details, /s3cr3t/);
    return error.code === Status.INVALID_ARGUMENT;
  });
  await assert.rejects(plan.run({ timeoutMs: -1 }), RangeError);
});
