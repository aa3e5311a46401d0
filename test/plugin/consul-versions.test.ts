import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ConsulConfig } from '../../plugin/consul/config.js';
import { consul } from '../../plugin/consul/consul.js';
import { parse, type WatchParams } from '../../plugin/consul/watch/watch.js';
import { silentLogger } from '../../rpc/log.js';
import { Status } from '../../rpc/status.js';
import { type FakeExchange, startFakeConsul } from '../consul/fake.js';
import { type ConsulVersion, suiteVersion, traits, versions } from '../consul/versions.js';
import { read } from '../contract/reader.js';
import { deferred } from '../deferred.js';
import { recorder, untilState } from './config-changes.js';

const TIME_LIMIT = { timeout: 30_000 };
const SERVICE = 'service "Greeter" { policy = "read" }';

const entry = (Port: number) => ({
  Node: { Node: 'machine', Address: '127.0.0.1' },
  Service: { ID: `g${Port}`, Service: 'Greeter', Address: '127.0.0.1', Port },
  Checks: [{ CheckID: 'c', Status: 'passing' }],
});
const instances = (exchange: FakeExchange, index: string, ports: readonly number[], isHidden = false) =>
  exchange.send(200, JSON.stringify(ports.map(entry)), {
    'x-consul-index': index,
    ...(isHidden ? exchange.filtered : {}),
  });
const isHeld = ({ query }: FakeExchange) => query.has('index');
/** What an agent says of the rights of a token, which Consul's pages ask for. */
const allowed = (exchange: FakeExchange, Allow: boolean): boolean => {
  if (exchange.path !== '/v1/internal/acl/authorize') return false;
  exchange.send(200, JSON.stringify([{ Resource: 'service', Segment: 'Greeter', Access: 'read', Allow }]));
  return true;
};

for (const version of versions) {
  const { streams } = traits[version];
  const start = (script: (exchange: FakeExchange, count: number) => void) => startFakeConsul(script, version);
  const catalog = (fake: { address: string }) =>
    consul({ mode: 'catalog', address: fake.address, token: 'a', logger: silentLogger });

  describe(`Consul ${version}`, () => {
    for (const ports of [[], [1]]) {
      test(
        `a service with ${ports.length} nodes is not in doubt while it is waited for`,
        TIME_LIMIT,
        async () => {
          const asked = deferred<void>();
          let held = 0;
          await using fake = await start((exchange) => {
            if (!isHeld(exchange)) return instances(exchange, '5', ports);
            if (++held === 3) asked.resolve();
            instances(exchange, String(5 + held), ports);
          });
          await using reader = read(catalog(fake), 'Greeter');
          const next = await reader.next();
          assert.ok(next.kind === 'nodes' && next.nodes.length === ports.length);
          await asked.promise;
          const waits = fake.exchanges.filter(isHeld).map(({ query }) => query.get('wait'));
          assert.ok(
            waits.every((wait) => wait === '55000ms'),
            waits.join(),
          );
          const more = reader.next().then(
            (found) => assert.notEqual(found.kind, 'failure'),
            () => {},
          );
          await reader.stop();
          await more;
        },
      );
    }

    test(
      'an empty list that an agent has gathered is believed when the servers say the same',
      TIME_LIMIT,
      async () => {
        for (const isTrue of [true, false]) {
          let held = 0;
          await using fake = await start((exchange) => {
            if (allowed(exchange, true)) return;
            if (!isHeld(exchange)) return instances(exchange, '5', held === 0 || !isTrue ? [1] : []);
            held++;
            if (held === 1) instances(exchange, '6', []);
            else if (!isTrue && held === 2) instances(exchange, '7', [1, 2]);
          });
          await using reader = read(catalog(fake), 'Greeter');
          await reader.untilAddresses('127.0.0.1:1');
          const next = await reader.next();
          assert.ok(next.kind === 'nodes');
          assert.equal(next.nodes.length, isTrue || !streams ? 0 : 2);
        }
      },
    );

    test('a token that loses its right removes no node, and the right is named', TIME_LIMIT, async () => {
      let isLost = false;
      const lost = deferred<FakeExchange>();
      await using fake = await start((exchange) => {
        if (allowed(exchange, !isLost)) return;
        if (isHeld(exchange)) return lost.resolve(exchange);
        if (isLost) instances(exchange, '9', [], true);
        else instances(exchange, '5', [1]);
      });
      await using reader = read(catalog(fake), 'Greeter');
      await reader.untilAddresses('127.0.0.1:1');
      const held = await lost.promise;
      isLost = true;
      instances(held, '9', [], true);
      const next = await reader.next();
      assert.ok(next.kind === 'failure', JSON.stringify(next));
      assert.equal(next.error.code, Status.PERMISSION_DENIED);
      assert.ok(next.error.details.includes(SERVICE), next.error.details);
      isLost = false;
      const back = performance.now();
      await reader.untilAddresses('127.0.0.1:1');
      assert.ok(performance.now() - back < 6_000);
    });

    test('a token that loses its right deletes no configuration, nor some of it', TIME_LIMIT, async () => {
      for (const left of [{}, { 'shop/a': '1' }]) {
        let isLost = false;
        const first = deferred<FakeExchange>();
        const values = { 'shop/a': '1', 'shop/b': '1' };
        await using fake = await start((exchange) => {
          if (!exchange.query.has('recurse')) return exchange.send(403, 'Permission denied');
          if (isHeld(exchange) && !isLost) return first.resolve(exchange);
          exchange.list(isLost ? left : values, '5', isLost ? exchange.filtered : {});
        });
        await using config = new ConsulConfig({
          address: fake.address,
          prefix: 'shop',
          logger: silentLogger,
        });
        const { told, handler, until } = recorder();
        using watch = config.watch('', handler);
        await until('+a=1', '+b=1');
        const held = await first.promise;
        isLost = true;
        held.list(left, '6', held.filtered);
        await untilState(watch, 'failed');
        assert.ok(watch.state.kind === 'failed' && watch.state.error.code === Status.PERMISSION_DENIED);
        assert.match(watch.state.error.details, /key_prefix "shop\/" \{ policy = "read" \}/);
        assert.deepEqual(told, ['+a=1', '+b=1']);
      }
    });

    const plans: readonly [WatchParams, object][] = [
      [{ type: 'services' }, { Greeter: [] }],
      [{ type: 'nodes' }, [{ Node: 'n', Address: '10.0.0.1' }]],
      [{ type: 'service', service: 'Greeter' }, [entry(1)]],
      [{ type: 'checks' }, [{ Node: 'n', CheckID: 'c', Status: 'passing' }]],
    ];
    for (const [params, found] of plans) {
      test(`a plan of type ${params.type} does not give what is hidden for gone`, TIME_LIMIT, async () => {
        let isLost = false;
        await using fake = await start((exchange) => {
          if (allowed(exchange, false)) return;
          const none = Array.isArray(found) ? [] : {};
          const headers = { 'x-consul-index': isLost ? '6' : '5', ...(isLost ? exchange.filtered : {}) };
          exchange.send(200, JSON.stringify(isLost ? none : found), headers);
          isLost = true;
        });
        const plan = parse(params);
        const failed = deferred<Status>();
        plan.onFailure = ({ code }) => failed.resolve(code);
        let results = 0;
        plan.handler = () => {
          results++;
        };
        const running = plan.run(fake.address);
        assert.equal(await failed.promise, Status.PERMISSION_DENIED);
        plan.stop();
        await running;
        assert.equal(results, 1);
      });
    }

    test('a key that is hidden is kept while another one is deleted', TIME_LIMIT, async () => {
      let isHidden = false;
      await using fake = await start((exchange) => {
        if (exchange.query.has('recurse')) {
          if (isHeld(exchange) && isHidden) return;
          const index = isHeld(exchange) ? '6' : '5';
          isHidden ||= isHeld(exchange);
          const shown = { 'shop/c': '1', ...(isHidden ? {} : { 'shop/a': '1', 'shop/b': '1' }) };
          return exchange.list(shown, index, isHidden ? exchange.filtered : {});
        }
        if (exchange.path === '/v1/kv/shop%2Fb') exchange.send(403, 'Permission denied');
        else exchange.list({}, '6');
      });
      await using config = new ConsulConfig({
        ...{ address: fake.address, prefix: 'shop', token: 'a', logger: silentLogger },
      });
      const { told, handler, until } = recorder();
      using watch = config.watch('', handler);
      await until('+a=1', '+b=1', '+c=1');
      await untilState(watch, 'failed');
      assert.equal(watch.values.get('b'), 1);
      assert.ok(!told.some((word) => word.startsWith('-')), told.join());
    });

    test('one refusal for the load is over when the agent says so', TIME_LIMIT, async () => {
      const refusedAt = deferred<number>();
      let refused = false;
      await using fake = await start((exchange) => {
        if (isHeld(exchange) && !refused) {
          refused = true;
          refusedAt.resolve(performance.now());
          return exchange.limit('2');
        }
        if (!isHeld(exchange)) instances(exchange, '5', refused ? [1, 2] : [1]);
      });
      await using reader = read(catalog(fake), 'Greeter');
      await reader.untilAddresses('127.0.0.1:1');
      const before = await refusedAt.promise;
      await reader.untilAddresses('127.0.0.1:1', '127.0.0.1:2');
      const took = performance.now() - before;
      assert.ok(took < 4_000 && (!traits[version].answersLimits || took >= 1_990), `${took} ms`);
    });

    test('keys that it takes are written, and one that it does not fails at once', TIME_LIMIT, async () => {
      const address = '127.0.0.1:8000';
      await using fake = await start((exchange) => {
        if (exchange.session()) return;
        if (exchange.method === 'GET') exchange.list({ [`Greeter/${address}`]: address }, '1');
        else exchange.send(200, 'true');
      });
      const started = consul({ address: fake.address }).init({
        address,
        services: ['Greeter'],
        logger: silentLogger,
      });
      if (traits[version].refusalOf(address)) {
        await assert.rejects(started, { code: Status.INVALID_ARGUMENT, message: /invalid key name/ });
        assert.ok(fake.exchanges.length < 6, 'it is not tried again');
      } else await (await started)[Symbol.asyncDispose]();
    });
  });
}

/** Those that need a key which a version does not take are not run against it. */
const suites: readonly [file: string, except: readonly ConsulVersion[]][] = [
  ['consul-catalog', []],
  ['consul-config', []],
  ['consul-watch', []],
  ['consul-registration', ['1.21.5']],
];

describe('the suites of other files', { concurrency: true }, () => {
  for (const version of versions) {
    // It is run by itself.
    if (version === suiteVersion) continue;
    test(`hold against Consul ${version}, as it is documented`, { timeout: 120_000 }, async () => {
      const files = suites
        .filter(([, except]) => !except.includes(version))
        .map(([file]) => fileURLToPath(new URL(`./${file}.test.js`, import.meta.url)));
      const { NODE_TEST_CONTEXT: _, ...env } = process.env;
      const child = spawn(
        process.execPath,
        ['--enable-source-maps', '--test', '--test-reporter=tap', ...files],
        {
          env: { ...env, LICTOR_FAKE_CONSUL: version },
          stdio: ['ignore', 'pipe', 'inherit'],
        },
      );
      const [said, [code]] = await Promise.all([text(child.stdout), once(child, 'close')]);
      assert.equal(
        code,
        0,
        said
          .split('\n')
          .filter((line) => /^\s*not ok/.test(line))
          .join('\n'),
      );
      assert.match(said, /^# pass [1-9]\d/m);
    });
  }
});
