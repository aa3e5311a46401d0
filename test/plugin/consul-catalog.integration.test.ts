import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { inspect } from 'node:util';
import { agentServiceOf } from '../../plugin/consul/agent-service.js';
import { catalogOf } from '../../plugin/consul/catalog.js';
import { connectConsul } from '../../plugin/consul/connection.js';
import { type ConsulOptions, consul } from '../../plugin/consul/consul.js';
import type { RegistrationRequest } from '../../plugin/plugin.js';
import { silentLogger } from '../../rpc/log.js';
import { Status } from '../../rpc/status.js';
import { type ConsulAgent, startConsul } from '../consul/agent.js';
import { read } from '../contract/reader.js';
import { recordingLogger } from './log.js';

const TIME_LIMIT = { timeout: 60_000 };
const TOKEN = '6d0f1e0a-53f1-4c39-8a43-75c2e5f1d0aa';

type Raw = Readonly<Record<string, unknown>>;
const catalog = (agent: { address: string }, more: Partial<ConsulOptions & { mode: 'catalog' }> = {}) =>
  consul({ mode: 'catalog', address: agent.address, ...more });
const request = (service: string, more: Partial<RegistrationRequest> = {}): RegistrationRequest => ({
  address: '127.0.0.1:8000',
  services: [service],
  logger: silentLogger,
  ...more,
});
/** A service as other programs register theirs. */
const foreign = (agent: ConsulAgent, service: Raw) =>
  agent.request('PUT', '/agent/service/register', JSON.stringify(service));
describe('with one agent', () => {
  let agent: ConsulAgent;
  before(async () => {
    agent = await startConsul();
  });
  after(() => agent.stop());
  const instances = async (service: string) =>
    (await agent.request('GET', `/health/service/${service}`)) as {
      Service: { ID: string; Weights: Raw; Meta: Raw; Tags: string[] };
      Checks: { CheckID: string; Status: string }[];
    }[];

  test(
    'R9: each service of a server has an ID of its own, and its check passes from the start',
    TIME_LIMIT,
    async () => {
      const plugin = catalog(agent);
      const services = ['ids.Greeter', 'ids.Other'];
      await using _one = await plugin.init(request('', { services }));
      await using _two = await plugin.init(request('', { services, address: '[fe80::1]:8000' }));
      for (const service of services) {
        const listed = await instances(service);
        assert.deepEqual(listed.map(({ Service }) => Service.ID).sort(), [
          `${service}~127.0.0.1~8000`,
          `${service}~fe80__1~8000`,
        ]);
        for (const { Checks } of listed) assert.ok(Checks.every(({ Status }) => Status === 'passing'));
      }
    },
  );

  test(
    'R9: a server that comes back is listed at once, though its check had failed',
    TIME_LIMIT,
    async () => {
      const crashed = {
        ID: 'back.Greeter~127.0.0.1~8000',
        Name: 'back.Greeter',
        Address: '127.0.0.1',
        Port: 8000,
      };
      await foreign(agent, { ...crashed, Check: { TTL: '10s', Status: 'critical' } });
      const plugin = catalog(agent);
      await using reader = read(plugin, 'back.Greeter');
      await reader.untilAddresses();
      await using _again = await plugin.init(request('back.Greeter'));
      await reader.untilAddresses('127.0.0.1:8000');
    },
  );

  test('R9: a server that its agent has forgotten is registered again', TIME_LIMIT, async () => {
    for (const check of [
      { kind: 'ttl', ttlMs: 1_500 } as const,
      { kind: 'tcp', intervalMs: 60_000 } as const,
    ]) {
      const service = `forgotten.${check.kind}`;
      const plugin = catalog(agent, { check });
      const logger = recordingLogger();
      await using _entry = await plugin.init(request(service, { logger }));
      await using reader = read(plugin, service);
      await reader.untilAddresses('127.0.0.1:8000');
      await agent.request('PUT', `/agent/service/deregister/${service}~127.0.0.1~8000`);
      await reader.untilAddresses();
      await reader.untilAddresses('127.0.0.1:8000');
      while (logger.lines.length === 0) await setTimeout(10);
      assert.deepEqual(
        logger.lines.map(({ message }) => message),
        ['Consul had lost the server; it is registered again'],
      );
    }
  });

  test('R10: weights and meta are sent, and a time below a minute is warned about', TIME_LIMIT, async () => {
    const logger = recordingLogger();
    const plugin = catalog(agent, { deregisterCriticalServiceAfterMs: 59_999, logger });
    assert.deepEqual(
      logger.lines.map(({ fields }) => fields),
      [{ deregisterCriticalServiceAfterMs: 59_999 }],
    );
    for (const after of [0, 60_000]) catalog(agent, { deregisterCriticalServiceAfterMs: after, logger });
    assert.equal(logger.lines.length, 1);
    const more = { weight: 7, zone: 'eu-1', tags: ['a'], meta: { version: '2' } };
    const entry = await plugin.init(request('sent.Greeter', more));
    const [listed] = await instances('sent.Greeter');
    assert.deepEqual(listed!.Service.Weights, { Passing: 7, Warning: 1 });
    assert.deepEqual(listed!.Service.Meta, { version: '2', zone: 'eu-1' });
    assert.deepEqual(listed!.Service.Tags, ['a']);
    await entry[Symbol.asyncDispose]();
    assert.deepEqual(await instances('sent.Greeter'), []);
  });

  test(
    'R11: an instance without an address is at that of its node, and IPv6 has brackets',
    TIME_LIMIT,
    async () => {
      await foreign(agent, { ID: 'r11-a', Name: 'addresses.Greeter', Port: 1 });
      await foreign(agent, { ID: 'r11-b', Name: 'addresses.Greeter', Port: 2, Address: '2001:db8::2' });
      await using reader = read(catalog(agent), 'addresses.Greeter');
      await reader.untilAddresses('127.0.0.1:1', '[2001:db8::2]:2');
    },
  );

  test(
    'weights count, and with passing off a warning has its own and a failure none',
    TIME_LIMIT,
    async () => {
      const Weights = { Passing: 9, Warning: 2 };
      for (const [Port, Status] of [
        [1, 'passing'],
        [2, 'warning'],
        [3, 'critical'],
      ] as const) {
        const Check = { TTL: '1h', Status };
        await foreign(agent, { ID: `weights-${Port}`, Name: 'weights.Greeter', Port, Weights, Check });
      }
      await using all = read(catalog(agent, { passing: false }), 'weights.Greeter');
      const nodes = await all.untilNodes(({ length }) => length === 3);
      assert.deepEqual(
        nodes.map(({ weight }) => weight),
        [9, 2, 0],
      );
      await using passing = read(catalog(agent), 'weights.Greeter');
      await passing.untilAddresses('127.0.0.1:1');
    },
  );

  test('an instance under maintenance is left out, and comes back', TIME_LIMIT, async () => {
    const plugin = catalog(agent);
    await using _entry = await plugin.init(request('maintained.Greeter'));
    await using reader = read(plugin, 'maintained.Greeter');
    await reader.untilAddresses('127.0.0.1:8000');
    const api = agentServiceOf(connectConsul({ address: agent.address }));
    const id = 'maintained.Greeter~127.0.0.1~8000';
    assert.equal(await api.maintenance(id, 'maintained.Greeter', true, 'a new disk'), true);
    await reader.untilAddresses();
    assert.equal(await api.maintenance(id, 'maintained.Greeter', false, ''), true);
    await reader.untilAddresses('127.0.0.1:8000');
    assert.equal(await api.maintenance('nobody', 'nobody', true, ''), false);
  });

  test(
    'a check that is told to fail takes the instance out, and one that is unknown says so',
    TIME_LIMIT,
    async () => {
      const plugin = catalog(agent);
      await using _entry = await plugin.init(request('failed.Greeter'));
      await using reader = read(plugin, 'failed.Greeter');
      await reader.untilAddresses('127.0.0.1:8000');
      const api = agentServiceOf(connectConsul({ address: agent.address }));
      assert.equal(await api.fail('failed.Greeter~127.0.0.1~8000', 'failed.Greeter', 'too hot'), true);
      await reader.untilAddresses();
      assert.equal(await api.fail('nobody', 'nobody', ''), false);
      assert.equal(await api.pass('nobody', 'nobody'), false);
      await api.deregister('nobody', 'nobody');
    },
  );

  test('what a check says is read from the agent', TIME_LIMIT, async () => {
    await using _entry = await catalog(agent).init(request('said.Greeter'));
    const api = agentServiceOf(connectConsul({ address: agent.address }));
    const id = 'said.Greeter~127.0.0.1~8000';
    assert.deepEqual(await api.check(id, 'said.Greeter'), { status: 'passing', output: '' });
    await api.fail(id, 'said.Greeter', 'too "hot"');
    assert.deepEqual(await api.check(id, 'said.Greeter'), { status: 'critical', output: 'too "hot"' });
    assert.equal(await api.check('nobody', 'nobody'), undefined);
  });

  test(
    'a service of the agent is read with its hash, and a change of it is waited for',
    TIME_LIMIT,
    async () => {
      const api = agentServiceOf(connectConsul({ address: agent.address }));
      assert.deepEqual(await api.get('hashed'), { service: undefined, hash: undefined });
      await foreign(agent, { ID: 'hashed', Name: 'hashed', Port: 1 });
      const { hash } = await api.get('hashed');
      const changed = api.get('hashed', { hash, waitMs: 30_000 });
      await foreign(agent, { ID: 'hashed', Name: 'hashed', Port: 2 });
      const { service, hash: next } = await changed;
      assert.equal((service as { Port: number }).Port, 2);
      assert.notEqual(next, hash);
    },
  );

  test('several tags and a filter are all wanted', TIME_LIMIT, async () => {
    const plugin = catalog(agent);
    await using _a = await plugin.init(
      request('tags.Greeter', { address: '127.0.0.1:1', tags: ['a', 'b'], meta: { version: '1' } }),
    );
    await using _b = await plugin.init(
      request('tags.Greeter', { address: '127.0.0.1:2', tags: ['a', 'b'], meta: { version: '2' } }),
    );
    await using _c = await plugin.init(request('tags.Greeter', { address: '127.0.0.1:3', tags: ['a'] }));
    for (const [more, ports] of [
      [{ tags: ['a'] }, [1, 2, 3]],
      [{ tags: ['a', 'b'] }, [1, 2]],
      [{ tags: ['b'], filter: 'Service.Meta.version == "2"' }, [2]],
      [{ near: '_agent', tags: ['b'] }, [1, 2]],
    ] as const) {
      await using reader = read(catalog(agent, more), 'tags.Greeter');
      await reader.untilAddresses(...ports.map((port) => `127.0.0.1:${port}`));
    }
  });

  test('a filter that Consul does not understand is a failure that shows it', TIME_LIMIT, async () => {
    await using reader = read(catalog(agent, { filter: 'Service.Meta.version ==' }), 'filter.Greeter');
    assert.match((await reader.untilFailure()).details, /filter/);
  });

  test(
    'another datacenter that is not there is a failure, and a server registers all the same',
    TIME_LIMIT,
    async () => {
      const plugin = catalog(agent, { datacenter: 'mars' });
      await using _entry = await plugin.init(request('far.Greeter'));
      await using near = read(catalog(agent), 'far.Greeter');
      await near.untilAddresses('127.0.0.1:8000');
      await using far = read(plugin, 'far.Greeter');
      assert.match((await far.untilFailure()).details, /datacenter/i);
    },
  );

  test(
    'a service whose name differs in case is not called, and two of one server are refused',
    TIME_LIMIT,
    async () => {
      const logger = recordingLogger();
      const plugin = catalog(agent, { logger });
      await using _entry = await plugin.init(request('case.greeter'));
      await using reader = read(plugin, 'case.Greeter');
      assert.deepEqual(await reader.next(), { kind: 'nodes', nodes: [] });
      assert.match(String(logger.lines[0]!.fields.reason), /is of the service "case\.greeter"/);
      await assert.rejects(plugin.init(request('', { services: ['case.Greeter', 'case.greeter'] })), {
        code: Status.INVALID_ARGUMENT,
        message: /case\.Greeter.*case\.greeter/,
      });
    },
  );

  test('meta that Consul would refuse is refused before it is sent, by its key', TIME_LIMIT, async () => {
    const plugin = catalog(agent);
    const refused = async (more: Partial<RegistrationRequest>, message: RegExp) =>
      assert.rejects(plugin.init(request('meta.Greeter', more)), { code: Status.INVALID_ARGUMENT, message });
    await refused({ meta: { 'a.b': 'x' } }, /meta "a\.b"/);
    await refused({ meta: { 'consul-x': 'x' } }, /meta "consul-x"/);
    await refused({ meta: { a: 'x'.repeat(513) } }, /meta "a".* got 513/);
    await refused({ zone: 'eu', meta: { zone: 'us' } }, /meta "zone"/);
    await refused(
      { meta: Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`k${i}`, ''])) },
      /got 65/,
    );
    await refused({ address: 'unix:/run/greeter' }, /unix socket/);
  });

  test('the catalog names its services and nodes', TIME_LIMIT, async () => {
    const api = catalogOf(connectConsul({ address: agent.address }));
    await foreign(agent, { ID: 'named', Name: 'named.Greeter', Port: 1, Tags: ['a', 'b'] });
    let services = await api.services();
    while (!services.value.has('named.Greeter')) services = await api.services({ since: services.index });
    assert.deepEqual([...services.value.get('named.Greeter')!].sort(), ['a', 'b']);
    const { value: nodes } = await api.nodes({ filter: 'Address == "127.0.0.1"' });
    assert.equal(nodes.length, 1);
    assert.equal(nodes[0]!.datacenter, 'dc1');
  });
});

test(
  'R9, F3: after a loss of all data the server is listed again, and the watch sees it',
  TIME_LIMIT,
  async () => {
    await using agent = await startConsul();
    for (const check of [
      { kind: 'ttl', ttlMs: 3_000 } as const,
      { kind: 'tcp', intervalMs: 60_000 } as const,
    ]) {
      const plugin = catalog(agent, { check });
      const service = `wiped.${check.kind}`;
      await using _entry = await plugin.init(request(service));
      await using reader = read(plugin, service);
      await reader.untilAddresses('127.0.0.1:8000');
      await agent.kill('SIGKILL');
      await reader.untilFailure();
      await agent.restart({ wipe: true });
      await reader.untilAddresses('127.0.0.1:8000');
    }
  },
);

test(
  'R9: an agent that starts again does not hide a server until it has made its check',
  TIME_LIMIT,
  async () => {
    await using agent = await startConsul();
    // The next check would be made in an hour.
    const plugin = catalog(agent, { check: { kind: 'tcp', intervalMs: 3_600_000 } });
    await using _entry = await plugin.init(request('Greeter'));
    await using reader = read(plugin, 'Greeter');
    await reader.untilAddresses('127.0.0.1:8000');
    await agent.kill('SIGKILL');
    await reader.untilFailure();
    await agent.restart();
    await reader.untilAddresses('127.0.0.1:8000');
  },
);

test(
  'R10: a server that stops while Consul is down stops all the same, and says so',
  TIME_LIMIT,
  async () => {
    await using agent = await startConsul();
    const logger = recordingLogger();
    const entry = await catalog(agent, { timeoutMs: 500 }).init(request('Greeter', { logger }));
    await agent.kill('SIGKILL');
    await Promise.all([entry[Symbol.asyncDispose](), entry[Symbol.asyncDispose]()]);
    assert.deepEqual(
      logger.lines.filter(({ level }) => level === 'error').map(({ fields }) => fields.id),
      ['Greeter~127.0.0.1~8000'],
    );
  },
);

test(
  'S2, F1: while the agent is down one warning is logged, and it is kept up when it is back',
  TIME_LIMIT,
  async () => {
    await using agent = await startConsul();
    const logger = recordingLogger();
    const plugin = catalog(agent, { check: { kind: 'ttl', ttlMs: 1_500 } });
    await using _entry = await plugin.init(request('Greeter', { logger }));
    await using reader = read(plugin, 'Greeter');
    await reader.untilAddresses('127.0.0.1:8000');
    await agent.kill('SIGKILL');
    assert.equal((await reader.untilFailure()).code, Status.UNAVAILABLE);
    while (logger.lines.length === 0) await setTimeout(20);
    await agent.restart();
    await reader.untilAddresses('127.0.0.1:8000');
    while (logger.lines.length < 2) await setTimeout(20);
    assert.deepEqual(
      logger.lines.map(({ message }) => message.replace(/;.*/, '')),
      ['cannot keep up the registration in Consul', 'Consul answers again'],
    );
  },
);

test(
  'S3, S4: a start without an agent fails with what to do, and the watch goes on to the list',
  TIME_LIMIT,
  async () => {
    await using agent = await startConsul();
    await agent.kill('SIGKILL');
    const plugin = catalog(agent);
    await assert.rejects(plugin.init(request('Greeter')), {
      code: Status.UNAVAILABLE,
      message: new RegExp(`consul at ${agent.address}.*is the agent running\\?`),
    });
    await using reader = read(plugin, 'Greeter');
    assert.equal((await reader.untilFailure()).code, Status.UNAVAILABLE);
    await agent.restart();
    await using _entry = await plugin.init(request('Greeter'));
    await reader.untilAddresses('127.0.0.1:8000');
  },
);

describe('with access control', () => {
  let agent: ConsulAgent;
  const tokenFor = async (rules: string): Promise<string> => {
    const Name = `policy-${randomBytes(4).toString('hex')}`;
    await agent.request('PUT', '/acl/policy', JSON.stringify({ Name, Rules: rules }));
    const made = await agent.request('PUT', '/acl/token', JSON.stringify({ Policies: [{ Name }] }));
    return (made as { SecretID: string }).SecretID;
  };
  before(async () => {
    agent = await startConsul({
      token: TOKEN,
      config: `acl { enabled = true default_policy = "deny" tokens { master = "${TOKEN}" agent = "${TOKEN}" } }`,
    });
  });
  after(() => agent.stop());

  test('the policies of the guide are enough for a server and for a client', TIME_LIMIT, async () => {
    const guide = readFileSync(new URL('../../../docs/guide/consul.md', import.meta.url), 'utf8');
    const [server, client] = [...guide.matchAll(/```hcl\n# catalog: [^\n]*\n([^`]*)```/g)].map(
      (match) => match[1]!,
    );
    const serverPlugin = catalog(agent, { token: await tokenFor(server!) });
    const clientPlugin = catalog(agent, { token: await tokenFor(client!) });
    await using reader = read(clientPlugin, 'helloworld.Greeter');
    await reader.untilAddresses();
    await using _entry = await serverPlugin.init(request('helloworld.Greeter'));
    await reader.untilAddresses('127.0.0.1:8000');
    await assert.rejects(clientPlugin.init(request('helloworld.Greeter')), {
      code: Status.PERMISSION_DENIED,
    });
  });

  test('S4, F16: what is missing is named, and a token never shows', TIME_LIMIT, async () => {
    const token = await tokenFor('service "Other" { policy = "write" }');
    const plugin = catalog(agent, { token });
    const denied = await plugin.init(request('Greeter')).catch((error: unknown) => error);
    assert.match(String(denied), /service "Greeter" \{ policy = "write" \}/);
    const blind = await catalog(agent, { token, timeoutMs: 500 })
      .init(request('Other'))
      .catch((error: unknown) => error);
    assert.match(String(blind), /node_prefix "" \{ policy = "read" \}/);
    await using reader = read(catalog(agent, { token: 'nobody-knows-it' }), 'Greeter');
    const unknown = await reader.untilFailure();
    assert.equal(unknown.code, Status.PERMISSION_DENIED);
    assert.match(unknown.details, /service "Greeter" \{ policy = "read" \}/);
    for (const text of [denied, blind, unknown, plugin].map((value) => inspect(value, { depth: 9 })))
      assert.ok(!text.includes(token) && !text.includes('nobody-knows-it'), text);
  });

  test(
    'F16: a token that is deleted and replaced in its file is registered with again',
    TIME_LIMIT,
    async () => {
      const rules = 'service_prefix "" { policy = "write" } node_prefix "" { policy = "read" }';
      const [first, second] = [await tokenFor(rules), await tokenFor(rules)];
      const folder = mkdtempSync(join(tmpdir(), 'lictor-token-'));
      const file = join(folder, 'token');
      writeFileSync(file, first);
      const logger = recordingLogger();
      const check = { kind: 'ttl', ttlMs: 1_500 } as const;
      await using _entry = await catalog(agent, { tokenFile: file, check }).init(
        request('Greeter', { logger }),
      );
      const { AccessorID } = (await agentRequestAs(agent, first, '/acl/token/self')) as {
        AccessorID: string;
      };
      await agent.request('DELETE', `/acl/token/${AccessorID}`);
      while (logger.lines.length === 0) await setTimeout(20);
      assert.match(String(logger.lines[0]!.fields.reason), /service "Greeter" \{ policy = "write" \}/);
      writeFileSync(file, second);
      await using reader = read(catalog(agent, { token: second }), 'Greeter');
      // The agent had gone on with the token that is no more, with which the catalog takes nothing from it.
      await reader.untilAddresses('127.0.0.1:8000');
      while (logger.lines.length < 2) await setTimeout(20);
      rmSync(folder, { recursive: true });
      assert.ok(!inspect(logger.lines).includes(first));
    },
  );
});

async function agentRequestAs(agent: ConsulAgent, token: string, path: string): Promise<unknown> {
  return (await fetch(`${agent.url}/v1${path}`, { headers: { 'x-consul-token': token } })).json();
}
