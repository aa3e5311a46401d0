import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ConsulOptions, consul } from '../../plugin/consul/consul.js';
import type { RegistrationRequest } from '../../plugin/plugin.js';
import { silentLogger } from '../../rpc/log.js';
import { Status } from '../../rpc/status.js';
import { roundRobin } from '../../selector/balancer/round-robin.js';
import { balancerAlone } from '../../selector/pick-rules.js';
import { Selector } from '../../selector/selector.js';
import { type FakeExchange, startFakeConsul } from '../consul/fake.js';
import { streamed } from '../consul/versions.js';
import { read } from '../contract/reader.js';
import { deferred } from '../deferred.js';
import { recordingLogger } from './log.js';

const TIME_LIMIT = { timeout: 30_000 };

type Raw = Readonly<Record<string, unknown>>;
const catalog = (fake: { address: string }, more: Partial<ConsulOptions & { mode: 'catalog' }> = {}) =>
  consul({ mode: 'catalog', address: fake.address, ...more });
const request = (more: Partial<RegistrationRequest> = {}): RegistrationRequest => ({
  address: '127.0.0.1:8000',
  services: ['Greeter'],
  logger: silentLogger,
  ...more,
});
const entry = (id: string, service: Raw = {}, more: Raw = {}) => ({
  Node: { Node: 'machine', Address: '10.0.0.1' },
  Service: { ID: id, Service: 'Greeter', Address: '127.0.0.1', Port: 8000, ...service },
  Checks: [],
  ...more,
});
const listing = (exchange: FakeExchange, entries: readonly unknown[], index: string, headers: Raw = {}) =>
  exchange.send(200, JSON.stringify(entries), { 'x-consul-index': index, ...(headers as object) });
/** Answers the first query with a list, and holds the others. */
const once = (entries: readonly unknown[]) => (exchange: FakeExchange, count: number) => {
  if (count === 1) listing(exchange, entries, '1');
};
/** An agent that keeps one service, as far as a registration asks. */
const keeper = (instead: (exchange: FakeExchange) => boolean) => (exchange: FakeExchange) => {
  if (instead(exchange)) return;
  const { method, path, send } = exchange;
  if (method === 'PUT') send(200, '');
  else if (path.startsWith('/v1/health/')) listing(exchange, [entry('Greeter~127.0.0.1~8000')], '1');
  else send(200, '{"ID":"Greeter~127.0.0.1~8000"}');
};

test('options of one mode do not compile in the other, and are refused where nothing compiles', () => {
  const refused = (make: () => unknown, message: RegExp) =>
    assert.throws(make, { code: Status.INVALID_ARGUMENT, message });
  // @ts-expect-error
  refused(() => consul({ tags: ['a'] }), /tags: only with mode "catalog", got \["a"\]/);
  // @ts-expect-error
  refused(() => consul({ mode: 'kv', passing: false }), /passing: only with mode "catalog", got false/);
  // @ts-expect-error
  refused(() => consul({ check: { kind: 'ttl' } }), /check: only with mode "catalog"/);
  const mistyped: object = { adress: '127.0.0.1:8500' };
  refused(() => consul(mistyped), /mode "kv": only mode, address, .*startUnregistered, got "adress"/);
  const inCatalog: object = { mode: 'catalog', prefix: 'a/' };
  refused(() => consul(inCatalog), /mode "catalog": only mode, address, .*got "prefix"/);
  // @ts-expect-error
  refused(() => consul({ mode: 'Catalog' }), /mode: "kv" or "catalog", got "Catalog"/);
  // Undefined is as good as left out.
  consul({ mode: 'kv', prefix: 'a/', tags: undefined });
  consul({ mode: 'catalog', prefix: undefined, tags: ['a'] });
});

test('a bad option is refused when it is given, with what it was', () => {
  const bad: readonly [Raw, RegExp][] = [
    [{ check: 'ttl' }, /check: an object with a kind, got "ttl"/],
    [{ check: null }, /check: an object with a kind, got null/],
    [{ check: { kind: 'script' } }, /check\.kind: ttl, tcp, http, grpc, got "script"/],
    [{ check: { kind: 'constructor' } }, /check\.kind: .*got "constructor"/],
    [{ check: { kind: 'ttl', ttlMs: 999 } }, /check\.ttlMs: .*from 1000 to 86400000, got 999/],
    [{ check: { kind: 'ttl', ttlMs: Number.NaN } }, /check\.ttlMs: .*got NaN/],
    [{ check: { kind: 'ttl', intervalMs: 5_000 } }, /check of kind "ttl": only ttlMs, got "intervalMs"/],
    [{ check: { kind: 'tcp', intervalMs: 0 } }, /check\.intervalMs: .*got 0/],
    [{ check: { kind: 'tcp', timeoutMs: '1s' } }, /check\.timeoutMs: .*got "1s"/],
    [{ check: { kind: 'http' } }, /check\.url: http.*got undefined/],
    [{ check: { kind: 'http', url: 'file:///etc/passwd' } }, /check\.url: .*got "file:/],
    [{ check: { kind: 'http', url: 'http://x/', method: 'GET /' } }, /check\.method: .*got "GET \/"/],
    [{ check: { kind: 'http', url: 'http://x/', headers: { a: 'b\r\nc: d' } } }, /check\.headers: .*got "a"/],
    [{ deregisterCriticalServiceAfterMs: -1 }, /deregisterCriticalServiceAfterMs: .*got -1/],
    [{ passing: 1 }, /passing: true or false, got 1/],
    [{ tags: 'a' }, /tags: a list of texts, got "a"/],
    [{ tags: [''] }, /tags: a list of texts/],
    [{ filter: '' }, /filter: a text, got ""/],
    [{ near: 5 }, /near: a text, got 5/],
  ];
  for (const [options, message] of bad)
    assert.throws(
      () => consul({ mode: 'catalog', ...options } as ConsulOptions),
      { code: Status.INVALID_ARGUMENT, message },
      JSON.stringify(options),
    );
});

test('what cannot be called is skipped with one warning, and the rest is used', TIME_LIMIT, async () => {
  const entries = [
    entry('good', { Port: 1, Tags: ['a', 5], Meta: { zone: 'eu', version: '2', n: 3 } }),
    entry('zone of its machine', { Port: 2 }, { Node: { Node: 'm', Address: '::1', Meta: { zone: 'us' } } }),
    entry('no port', { Port: 0 }),
    entry('text as port', { Port: '8000' }),
    entry('port too high', { Port: 65_536 }),
    entry('wildcard', { Address: '0.0.0.0' }),
    entry('user info', { Address: 'a@b' }),
    entry('control', { Address: 'a\r\nb' }),
    entry('nowhere', { Address: '' }, { Node: { Node: 'm' } }),
    entry('other', { Service: 'greeter' }),
    { Node: null, Service: null },
    null,
    'text',
  ];
  await using fake = await startFakeConsul((exchange, count) => {
    if (count <= 2)
      listing(exchange, count === 1 ? entries : [...entries, entry('new', { Port: 3 })], `${count}`);
  });
  const logger = recordingLogger();
  await using reader = read(catalog(fake, { logger }), 'Greeter');
  const nodes = await reader.untilNodes(({ length }) => length === 3);
  assert.deepEqual(
    nodes.map((node) => ({ ...node, meta: { ...node.meta } })),
    [
      { address: '127.0.0.1:1', weight: 1, zone: 'eu', tags: ['a'], meta: { version: '2' } },
      { address: '127.0.0.1:2', weight: 1, zone: 'us', tags: [], meta: {} },
      { address: '127.0.0.1:3', weight: 1, tags: [], meta: {} },
    ],
  );
  assert.equal(logger.lines.length, 11);
  assert.equal(logger.lines[0]!.fields.id, 'no port on machine');
});

test('weights of any kind break no balancer', TIME_LIMIT, async () => {
  const weights: readonly [Raw, number][] = [
    [{}, 1],
    [{ Weights: null }, 1],
    [{ Weights: { Passing: 5 } }, 5],
    [{ Weights: { Passing: 'many' } }, 1],
    [{ Weights: { Passing: 65_535 } }, 1_000],
    [{ Weights: { Passing: -3 } }, 0],
    [{ Weights: { Passing: 3 }, Meta: { 'lictor-weight': '2.5' } }, 2.5],
    [{ Weights: { Passing: 3 }, Meta: { 'lictor-weight': 'heavy' } }, 3],
    [{ Weights: { Passing: 3 }, Meta: { 'lictor-weight': '1e999' } }, 1],
  ];
  await using fake = await startFakeConsul(
    once(weights.map(([service], i) => entry(`${i}`, { Port: 1_000 + i, ...service }))),
  );
  await using reader = read(catalog(fake), 'Greeter');
  const nodes = await reader.untilNodes(({ length }) => length === weights.length);
  assert.deepEqual(
    nodes.map(({ weight }) => weight),
    weights.map(([, weight]) => weight),
  );
});

test(
  'what Consul says is not to be called is told from what is gone, and from what it has yet to check',
  TIME_LIMIT,
  async () => {
    const at = (Port: number, ...Checks: Raw[]) => entry(`${Port}`, { Port }, { Checks });
    const critical = { Status: 'critical', Output: 'refused', Type: 'tcp' };
    await using fake = await startFakeConsul(
      once([
        at(1, { Status: 'passing' }),
        at(2, { Status: 'passing' }, critical),
        at(3, { Status: 'warning', Output: '' }),
        at(4, { CheckID: '_service_maintenance:4', Status: 'critical', Output: '', Type: 'maintenance' }),
        at(5, { CheckID: '_node_maintenance', Status: 'critical', Output: '' }),
        at(6, { CheckID: 'service:6', Status: 'critical', Output: '', Type: 'tcp' }),
        at(7, { CheckID: 'service:7', Status: 'critical', Output: '', Type: 'ttl' }),
        at(8, { CheckID: 'service:8', Status: 'critical' }),
      ]),
    );
    await using reader = read(catalog(fake), 'Greeter');
    const next = await reader.next();
    assert.ok(next.kind === 'nodes');
    assert.deepEqual(
      next.nodes.map(({ address }) => address),
      ['127.0.0.1:1'],
    );
    assert.deepEqual(
      next.drained,
      [2, 3, 4, 5, 7, 8].map((port) => `127.0.0.1:${port}`),
    );
  },
);

test('of two agents that list one server, the one that finds it well counts', TIME_LIMIT, async () => {
  const failing = { Checks: [{ Status: 'passing' }, { Status: 'critical' }] };
  await using fake = await startFakeConsul(
    once([entry('a', {}, failing), entry('a'), entry('a', {}, failing)]),
  );
  await using reader = read(catalog(fake, { passing: false }), 'Greeter');
  const next = await reader.next();
  assert.deepEqual(next.kind === 'nodes' && next.nodes.map(({ weight }) => weight), [1]);
});

test(
  'another order of the same list is no change, unless the nearest are to be first',
  TIME_LIMIT,
  async () => {
    for (const near of [undefined, '_agent']) {
      const [a, b, c] = [entry('a', { Port: 1 }), entry('b', { Port: 2 }), entry('c', { Port: 3 })];
      await using fake = await startFakeConsul((exchange, count) => {
        const list = [
          [b, a],
          [a, b],
          [a, b, c],
        ][count - 1];
        if (list) listing(exchange, list, `${count}`);
      });
      await using reader = read(catalog(fake, { near }), 'Greeter');
      const seen: string[] = [];
      await reader.untilNodes((nodes) => {
        seen.push(nodes.map(({ address }) => address.at(-1)).join(''));
        return nodes.length === 3;
      });
      assert.deepEqual(seen, near === undefined ? ['12', '123'] : ['21', '12', '123']);
    }
  },
);

test('F6: an empty list of a server without a leader is not believed', {
  ...TIME_LIMIT,
  skip: streamed,
}, async () => {
  await using fake = await startFakeConsul((exchange, count) => {
    if (count === 1) listing(exchange, [entry('a')], '5');
    else if (count === 2) listing(exchange, [], '6', { 'x-consul-knownleader': 'false' });
    else if (count === 3) listing(exchange, [entry('b', { Port: 9 })], '7');
  });
  await using reader = read(catalog(fake), 'Greeter');
  await reader.untilAddresses('127.0.0.1:8000');
  assert.match((await reader.untilFailure()).details, /no cluster leader/);
  await reader.untilAddresses('127.0.0.1:9');
});

test('W13, F6: an answer of a server that is cut off from its leader is used, told to be stale, and soon asked again', {
  ...TIME_LIMIT,
  skip: streamed,
}, async () => {
  const leaderless = { 'x-consul-knownleader': 'false', 'x-consul-lastcontact': '20461' };
  await using fake = await startFakeConsul((exchange, count) => {
    if (count === 1) listing(exchange, [entry('a')], '5');
    else if (count === 2) listing(exchange, [entry('b', { Port: 9 })], '6', leaderless);
    else if (count === 3) listing(exchange, [entry('b', { Port: 9 })], '6');
  });
  await using reader = read(catalog(fake), 'Greeter');
  await reader.untilAddresses('127.0.0.1:8000');
  await reader.untilAddresses('127.0.0.1:9');
  const told = await reader.next();
  assert.ok(told.kind === 'failure' && /no cluster leader.*may be old/.test(told.error.message));
  const next = await reader.next();
  assert.ok(next.kind === 'nodes' && next.nodes[0]!.address === '127.0.0.1:9', 'it is not stale any more');
  assert.equal(fake.exchanges[2]!.query.get('wait'), '1000ms');
});

test('F15: an answer that is no list is a failure, and the watch goes on', TIME_LIMIT, async () => {
  const bodies = ['null', '{}', '<html>', '[{"Node":'];
  await using fake = await startFakeConsul((exchange, count) => {
    const body = bodies[count - 1];
    if (body !== undefined) exchange.send(200, body, { 'x-consul-index': '1' });
    else if (count === bodies.length + 1) listing(exchange, [entry('a')], '2');
  });
  await using reader = read(catalog(fake), 'Greeter');
  assert.match((await reader.untilFailure()).details, /not a list of instances/);
  await reader.untilAddresses('127.0.0.1:8000');
});

test('what is wanted of the list is in the query', TIME_LIMIT, async () => {
  await using fake = await startFakeConsul(once([]));
  const options = { tags: ['a', 'b'], filter: 'x == "y"', near: '_agent', datacenter: 'eu' } as const;
  const plugin = catalog(fake, options);
  await using reader = read(plugin, 'helloworld.Greeter');
  await reader.next();
  const { path, query } = fake.exchanges[0]!;
  assert.equal(path, '/v1/health/service/helloworld.Greeter');
  assert.deepEqual(query.getAll('tag'), ['a', 'b']);
  assert.deepEqual(
    ['passing', 'filter', 'near', 'dc', 'stale'].map((name) => query.get(name)),
    // Those that fail are asked for too: they are drained at once, and one that is gone may be a loss of Consul's.
    [null, 'x == "y"', '_agent', 'eu', '1'],
  );
  assert.match(
    plugin.describe('helloworld.Greeter'),
    /catalog, with passing checks, tag "a", tag "b", filter x/,
  );
});

test('W12: watches that ask the same are one query, and those that do not are not', TIME_LIMIT, async () => {
  await using fake = await startFakeConsul((exchange) => {
    if (!exchange.query.has('index')) listing(exchange, [entry('a')], '1');
  });
  const readers = [];
  for (let i = 0; i < 100; i++) readers.push(read(catalog(fake), 'Greeter'));
  readers.push(
    read(catalog(fake, { tags: ['a'] }), 'Greeter'),
    read(catalog(fake, { passing: false }), 'Greeter'),
  );
  for (const reader of readers) await reader.untilAddresses('127.0.0.1:8000');
  assert.equal(fake.exchanges.filter(({ query }) => !query.has('index')).length, 3);
  for (const reader of readers) await reader.stop();
});

test('S1: a million picks after the first list ask Consul nothing', TIME_LIMIT, async () => {
  await using fake = await startFakeConsul(once([entry('a'), entry('b', { Port: 2 })]));
  const resolver = catalog(fake);
  const list = { emptyListPolicy: 'obey' as const, emptyListGraceMs: 0, isOpen: () => false };
  const picks = { balancer: roundRobin(), rules: balancerAlone };
  const options = { resolver, ...picks, logger: silentLogger, onGone: () => {}, ...list };
  const selector = new Selector(options);
  const service = selector.service('Greeter');
  await Promise.all(Array.from({ length: 10 }, () => service.selectWhenKnown({}, undefined)));
  for (let i = 0; i < 1_000_000; i++) if (!selector.service('Greeter').select({}, i)) assert.fail('no node');
  assert.equal(fake.exchanges.filter(({ query }) => !query.has('index')).length, 1);
  selector.close();
});

test('a bad service name sends no request', TIME_LIMIT, async () => {
  await using fake = await startFakeConsul(() => assert.fail('no request'));
  const plugin = catalog(fake);
  for (const service of ['../agent/leave', '..', '%2e%2e', '', 'a//b']) {
    assert.throws(() => plugin.watch(service, new AbortController().signal), {
      code: Status.INVALID_ARGUMENT,
    });
    await assert.rejects(plugin.init(request({ services: ['good', service] })), {
      code: Status.INVALID_ARGUMENT,
    });
  }
});

test('R9: a check that is not known, by 404 or by 500, is registered again', TIME_LIMIT, async () => {
  const answers: readonly [number, string][] = [
    [404, 'Unknown check ID "service:Greeter~127.0.0.1~8000". Ensure that the check ID is passed.'],
    [500, 'CheckID "service:Greeter~127.0.0.1~8000" does not have associated TTL'],
  ];
  for (const [status, text] of answers) {
    let passes = 0;
    const registered = deferred<void>();
    let registrations = 0;
    await using fake = await startFakeConsul(
      keeper(({ path, send }) => {
        if (path.endsWith('/register') && ++registrations === 2) registered.resolve();
        if (!path.includes('/check/pass/') || ++passes !== 2) return false;
        send(status, text);
        return true;
      }),
    );
    const logger = recordingLogger();
    const check = { kind: 'ttl', ttlMs: 1_000 } as const;
    await using _entry = await catalog(fake, { check }).init(request({ logger }));
    await registered.promise;
  }
});

test('H1: a heartbeat that is not answered is given up, and the next one is sent', TIME_LIMIT, async () => {
  let passes = 0;
  const fifth = deferred<void>();
  await using fake = await startFakeConsul(
    keeper(({ path }) => {
      if (!path.includes('/check/pass/') || ++passes === 1) return false;
      if (passes === 5) fifth.resolve();
      return true;
    }),
  );
  const logger = recordingLogger();
  const check = { kind: 'ttl', ttlMs: 1_000 } as const;
  const held = await catalog(fake, { check }).init(request({ logger }));
  await fifth.promise;
  assert.deepEqual(
    logger.lines.map(({ fields }) => fields.reason),
    [`consul at ${fake.address}: no answer within 333 ms (to keep up Greeter~127.0.0.1~8000)`],
  );
  // A heartbeat under way does not keep a server from leaving.
  await held[Symbol.asyncDispose]();
  assert.ok(fake.exchanges.some(({ path }) => path.includes('/deregister/')));
});

test(
  'a registration that is under way when the server leaves does not come after it',
  TIME_LIMIT,
  async () => {
    const second = deferred<FakeExchange>();
    let [registrations, passes] = [0, 0];
    await using fake = await startFakeConsul(
      keeper((exchange) => {
        if (exchange.path.includes('/check/pass/') && ++passes === 2) {
          exchange.send(404, 'Unknown check ID');
          return true;
        }
        if (!exchange.path.endsWith('/register') || ++registrations !== 2) return false;
        second.resolve(exchange);
        return true;
      }),
    );
    const check = { kind: 'ttl', ttlMs: 1_000 } as const;
    const held = await catalog(fake, { check }).init(request());
    const exchange = await second.promise;
    const left = held[Symbol.asyncDispose]();
    exchange.send(200, '');
    await left;
    const changes = fake.exchanges.map(({ path }) => path).filter((path) => /register/.test(path));
    assert.match(changes.at(-1)!, /\/deregister\//);
  },
);

test(
  'a server that does not show in the catalog is no registration, and is removed',
  TIME_LIMIT,
  async () => {
    await using fake = await startFakeConsul(
      keeper((exchange) => {
        if (!exchange.path.startsWith('/v1/health/')) return false;
        listing(exchange, [], '1');
        return true;
      }),
    );
    await assert.rejects(catalog(fake, { timeoutMs: 300 }).init(request()), {
      code: Status.PERMISSION_DENIED,
      message: /was registered but does not show/,
    });
    assert.ok(fake.exchanges.some(({ path }) => path.includes('/deregister/')));
  },
);
