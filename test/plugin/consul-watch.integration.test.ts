import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import * as watch from '../../plugin/consul/watch/watch.js';
import { consulBinary } from '../../scripts/consul.js';
import { type ConsulAgent, startConsul } from '../consul/agent.js';

const TIME_LIMIT = { timeout: 60_000 };
const LOCK_FLAGS = '3304740253564472344';
const { parse, formatJson } = watch;

/** What `consul watch` prints of each type, from the same agent. */
const PLANS: [params: watch.WatchParams, isEmpty?: 'empty'][] = [
  [{ type: 'key', key: 'a/locked' }],
  [{ type: 'key', key: 'a/text' }],
  [{ type: 'key', key: 'a/empty' }],
  [{ type: 'key', key: 'nowhere' }, 'empty'],
  [{ type: 'keyprefix', prefix: 'a/' }],
  [{ type: 'keyprefix', prefix: 'a', stale: true }],
  [{ type: 'keyprefix', prefix: 'nowhere/' }, 'empty'],
  [{ type: 'services' }],
  [{ type: 'nodes' }],
  [{ type: 'nodes', stale: true, datacenter: 'dc1' }],
  [{ type: 'service', service: 'web' }],
  [{ type: 'service', service: 'web', passingonly: true }],
  [{ type: 'service', service: 'web', tag: 'b' }],
  [{ type: 'service', service: 'web', tag: ['a', 'b'], passingonly: true }],
  [{ type: 'service', service: 'web', tag: ['a', 'nowhere'] }, 'empty'],
  [{ type: 'service', service: 'web-proxy' }],
  [{ type: 'service', service: 'external' }],
  [{ type: 'checks' }],
  [{ type: 'checks', state: 'critical' }],
  [{ type: 'checks', state: 'warning' }, 'empty'],
  [{ type: 'checks', service: 'web' }],
  [{ type: 'checks', service: 'external' }],
  [{ type: 'event' }],
  [{ type: 'event', name: 'deploy' }],
  [{ type: 'event', name: 'nowhere' }, 'empty'],
];

const services = [
  {
    ID: 'web1',
    Name: 'web',
    Tags: ['a', 'b'],
    Meta: { b: '<v> & w', a: 'ü' },
    Port: 80,
    Address: '10.0.0.1',
    TaggedAddresses: { lan: { Address: '10.0.0.2', Port: 5 } },
    Weights: { Passing: 3, Warning: 1 },
    Check: { Name: 'ttl <web>', TTL: '1h', Status: 'passing', Notes: 'n' },
  },
  { ID: 'web2', Name: 'web', Tags: ['b'], Check: { TTL: '1h', Status: 'critical' } },
  {
    ID: 'proxy',
    Name: 'web-proxy',
    Kind: 'connect-proxy',
    Port: 99,
    Proxy: {
      DestinationServiceName: 'web',
      DestinationServiceID: 'web1',
      LocalServiceAddress: '127.0.0.1',
      LocalServicePort: 80,
      Config: { a: 1, deep: { list: ['x'] } },
      Upstreams: [
        { DestinationName: 'db', LocalBindPort: 8181 },
        { DestinationName: 'cache', Datacenter: 'dc2', LocalBindPort: 8182, Config: { b: true } },
      ],
      MeshGateway: { Mode: 'local' },
      Expose: { Checks: true },
    },
  },
  { ID: 'native', Name: 'native', Connect: { Native: true } },
];

/** Of another node, with a check that has a definition. */
const external = {
  Node: 'far',
  Address: '10.1.1.1',
  NodeMeta: { zone: 'eu' },
  SkipNodeUpdate: false,
  Service: { ID: 'ext1', Service: 'external', Port: 443 },
  Checks: [
    {
      Node: 'far',
      CheckID: 'http',
      Name: 'http',
      Status: 'passing',
      ServiceID: 'ext1',
      Definition: {
        HTTP: 'https://10.1.1.1/health',
        Header: { 'x-a': ['1', '2'] },
        Method: 'HEAD',
        TLSSkipVerify: true,
        Interval: '90s',
        Timeout: '1500ms',
        DeregisterCriticalServiceAfter: '30s',
      },
    },
    {
      Node: 'far',
      CheckID: 'tcp',
      Name: 'tcp',
      Status: 'critical',
      Definition: { TCP: '10.1.1.1:22', Interval: '10s' },
    },
  ],
};

describe('W16 watch plans against a real agent', () => {
  let agent: ConsulAgent;
  let binary: string;

  before(async () => {
    binary = await consulBinary();
    agent = await startConsul();
    for (const service of services) await put(agent, '/agent/service/register', JSON.stringify(service));
    await agent.request('PUT', '/catalog/register', JSON.stringify(external));
    await agent.request('PUT', `/kv/a/locked?flags=${LOCK_FLAGS}`, 'x');
    const { ID } = (await agent.request('PUT', '/session/create', '{}')) as { ID: string };
    await agent.request('PUT', `/kv/a/locked?flags=${LOCK_FLAGS}&acquire=${ID}`, 'held <by> one & all');
    await agent.put('a/text', 'zwölf\u2028\0');
    await agent.put('a/empty', '');
    for (const name of ['deploy', 'other', 'deploy'])
      await agent.request(
        'PUT',
        `/event/fire/${name}?node=.*&service=web&tag=a`,
        name === 'other' ? undefined : name,
      );
    await until(agent, '/event/list', (events) => (events as unknown[]).length === 3);
    // The agent tells the servers of its services by and by.
    await until(agent, '/health/state/any', (checks) => (checks as unknown[]).length === 5);
    await until(agent, '/catalog/services', (names) => Object.keys(names as object).length === 5);
  }, TIME_LIMIT);
  after(() => agent.stop());

  for (const [params, isEmpty] of PLANS) {
    test(`${JSON.stringify(params)} delivers what consul watch prints`, TIME_LIMIT, async () => {
      const printed = await consulWatch(binary, agent, params);
      const { result } = await firstOf(params, agent);
      // Go prints null for an empty list of keys; ours is a list whatever it lists.
      const expected = printed === 'null\n' && params.type === 'keyprefix' ? '[]\n' : printed;
      if (isEmpty) assert.match(expected, /^(null|\[\])\n$/);
      else assert.doesNotMatch(expected, /^(null|\[\])\n$/);
      if (params.type === 'services') {
        // Consul lists the tags of a service in any order.
        assert.deepEqual(sortedLines(`${formatJson(result, 4)}\n`), sortedLines(expected));
        return;
      }
      // To the byte: not only the same data, but in the same order, so that volatile indexes need no mercy either.
      assert.equal(`${formatJson(result, 4)}\n`, expected);
    });
  }

  test(
    '{"type":"agent_service"} delivers what the agent tells, which consul watch does not print',
    TIME_LIMIT,
    async () => {
      await assert.rejects(promisify(execFile)(binary, ['watch', '-type=agent_service']), /not supported/);
      for (const { ID } of services) {
        const { index, result } = await firstOf({ type: 'agent_service', service_id: ID }, agent);
        const told = (await agent.request('GET', `/agent/service/${ID}`)) as watch.AgentService;
        assert.deepEqual(result, told);
        assert.equal(index, told.ContentHash);
      }
    },
  );

  test('the index of a result is what Consul says in X-Consul-Index', TIME_LIMIT, async () => {
    const { index } = await firstOf({ type: 'event' }, agent);
    const response = await fetch(`${agent.url}/v1/event/list`);
    assert.equal(String(index), response.headers.get('x-consul-index'));
    assert.ok((index as bigint) > 2n ** 53n, 'so that a number would not hold it');
  });

  test('every type tells of a change, and of nothing else', TIME_LIMIT, async () => {
    const changes: [
      watch.WatchParams,
      change: () => Promise<unknown>,
      isTold: (result: unknown) => boolean,
    ][] = [
      [
        { type: 'key', key: 'b/key' },
        () => agent.put('b/key', 'new'),
        (result) => (result as watch.KVPair).Value === Buffer.from('new').toString('base64'),
      ],
      [{ type: 'keyprefix', prefix: 'b/' }, () => agent.delete('b/key'), (result) => isEmptyList(result)],
      [
        { type: 'agent_service', service_id: 'late' },
        () => put(agent, '/agent/service/register', '{"ID":"late","Name":"late"}'),
        (result) => (result as watch.AgentService).ID === 'late',
      ],
      [
        { type: 'services' },
        () => put(agent, '/agent/service/register', '{"ID":"later","Name":"later"}'),
        (result) => Object.hasOwn(result as object, 'later'),
      ],
      [
        { type: 'service', service: 'web', passingonly: true },
        () => put(agent, '/agent/check/pass/service:web2'),
        (result) => (result as unknown[]).length === 2,
      ],
      [
        { type: 'checks', service: 'web' },
        () => put(agent, '/agent/check/warn/service:web2'),
        (result) => (result as watch.HealthCheck[]).some(({ Status }) => Status === 'warning'),
      ],
      [
        { type: 'nodes' },
        () => agent.request('PUT', '/catalog/register', '{"Node":"new","Address":"10.9.9.9"}'),
        (result) => (result as watch.CatalogNode[]).some(({ Node }) => Node === 'new'),
      ],
      [
        { type: 'event', name: 'deploy' },
        () => agent.request('PUT', '/event/fire/deploy', 'third'),
        (result) => (result as watch.UserEvent[]).map(({ Payload }) => Payload).join() === 'dGhpcmQ=',
      ],
    ];
    for (const [params, change, isTold] of changes) {
      const results: unknown[] = [];
      for await (const { result } of parse(params).results(agent.address)) {
        results.push(result);
        if (results.length === 1) await change();
        else break;
      }
      assert.ok(isTold(results[1]), `${params.type}: ${formatJson(results)}`);
    }
  });
});

async function firstOf(params: watch.WatchParams, agent: ConsulAgent): Promise<watch.WatchResult> {
  for await (const found of parse(params).results(agent.address)) return found;
  return assert.fail('the plan ended without a result');
}

async function consulWatch(binary: string, agent: ConsulAgent, params: watch.WatchParams): Promise<string> {
  const options = Object.entries(params).flatMap(([name, value]) =>
    [value].flat().map((one) => `-${name}=${String(one)}`),
  );
  const { stdout } = await promisify(execFile)(binary, ['watch', `-http-addr=${agent.address}`, ...options]);
  return stdout;
}

/** For what answers with no body at all. */
async function put(agent: ConsulAgent, path: string, body?: string): Promise<void> {
  const response = await fetch(`${agent.url}/v1${path}`, {
    method: 'PUT',
    ...(body === undefined ? {} : { body }),
  });
  assert.ok(response.ok, `${path}: ${response.status} ${await response.text()}`);
}

async function until(agent: ConsulAgent, path: string, isSo: (answer: unknown) => boolean): Promise<void> {
  while (!isSo(await agent.request('GET', path))) await new Promise((resolve) => setTimeout(resolve, 50));
}

const sortedLines = (text: string) => text.replaceAll(',', '').split('\n').sort();

const isEmptyList = (result: unknown) => Array.isArray(result) && result.length === 0;
