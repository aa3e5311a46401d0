import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  Client,
  type ClientOptions,
  credentials,
  Server,
  ServerCredentials,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { type ConsulResolverOptions, registerConsulResolver } from 'lictor/plugin/consul/grpc-js';
import { parseTarget } from '../../plugin/consul/grpc-target.js';
import { Status } from '../../rpc/status.js';
import { type ConsulAgent, startConsul } from '../consul/agent.js';
import { startFakeConsul } from '../consul/fake.js';
import { turns } from '../deferred.js';
import { recordingLogger } from './log.js';

const TIME_LIMIT = { timeout: 60_000 };
const path = '/grpc.Echo/Who';
const text = {
  serialize: (value: string) => Buffer.from(value),
  deserialize: (bytes: Buffer) => String(bytes),
};

/** A plain grpc-js server that answers with its address. */
async function serve(): Promise<{ address: string } & AsyncDisposable> {
  const server = new Server();
  let address = '';
  server.addService(
    {
      Who: {
        path,
        requestStream: false,
        responseStream: false,
        requestSerialize: text.serialize,
        requestDeserialize: text.deserialize,
        responseSerialize: text.serialize,
        responseDeserialize: text.deserialize,
      },
    },
    { Who: (_call: unknown, done: (error: null, value: string) => void) => done(null, address) },
  );
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
      error ? reject(error) : resolve(port),
    ),
  );
  address = `127.0.0.1:${port}`;
  return {
    address,
    async [Symbol.asyncDispose]() {
      server.forceShutdown();
    },
  };
}

const logger = recordingLogger();
const register = (options: ConsulResolverOptions = {}) =>
  registerConsulResolver({ emptyListPolicy: 'obey', logger, ...options });

function connect(target: string, options: ClientOptions = {}) {
  const client = new Client(target, credentials.createInsecure(), options);
  const who = () =>
    new Promise<string>((resolve, reject) =>
      client.makeUnaryRequest<string, string>(path, text.serialize, text.deserialize, '?', (error, value) =>
        error ? reject(error) : resolve(value!),
      ),
    );
  return {
    who,
    failure: () =>
      who().then(
        (value) => assert.fail(`${value} has answered`),
        (error: ServiceError) => error,
      ),
    /** Calls until just these have answered as often as there are of them, one after the other. */
    async until(...addresses: string[]) {
      for (;;) {
        const seen = new Set<string>();
        for (let i = 0; i < 2 * addresses.length + 2; i++) seen.add(await who().catch(() => 'failed'));
        if ([...seen].sort().join() === [...addresses].sort().join()) return;
        await turns();
      }
    },
    [Symbol.dispose]: () => client.close(),
  };
}

describe('a plain grpc-js client with a consul: target', () => {
  let agent: ConsulAgent;
  before(async () => {
    agent = await startConsul();
  });
  after(() => agent.stop());

  test('follows nodes that come and go, and fails when there is none', TIME_LIMIT, async () => {
    register();
    await using a = await serve();
    await using b = await serve();
    await agent.put('grpc.Echo/a', a.address);
    using client = connect(`consul://${agent.address}/grpc.Echo`);
    assert.equal(await client.who(), a.address);
    await agent.put('grpc.Echo/b', b.address);
    await client.until(a.address, b.address);
    await agent.delete('grpc.Echo/a');
    await client.until(b.address);
    await agent.delete('grpc.Echo/b');
    await client.until('failed');
    const error = await client.failure();
    assert.equal(error.code, status.UNAVAILABLE);
    assert.match(error.details, /no node of grpc\.Echo is listed \(consul at/);
    await agent.put('grpc.Echo/a', a.address);
    await client.until(a.address);
  });

  test(
    'chooses by tags, leaves drained nodes out, and takes the agent from the options',
    TIME_LIMIT,
    async () => {
      register({ address: agent.address });
      await using a = await serve();
      await using b = await serve();
      await using c = await serve();
      const put = (name: string, value: object) => agent.put(`tags.Echo/${name}`, JSON.stringify(value));
      await put('a', { address: a.address, tags: ['x', 'y'] });
      await put('b', { address: b.address, tags: ['x'] });
      await put('c', { address: c.address, tags: ['x', 'y'], weight: 0 });
      using both = connect('consul:///tags.Echo?tag=x&passing=1');
      await both.until(a.address, b.address);
      using one = connect('consul:tags.Echo?tag=x&tag=y');
      await one.until(a.address);
      using none = connect('consul:///tags.Echo?tag=z');
      assert.match((await none.failure()).details, /with the tags z/);
    },
  );

  test("leaves the choice of a node to the client's own service config", TIME_LIMIT, async () => {
    register({ address: agent.address });
    await using a = await serve();
    await using b = await serve();
    await agent.put('own.Echo/a', a.address);
    await agent.put('own.Echo/b', b.address);
    using client = connect('consul:///own.Echo', {
      'grpc.service_config': JSON.stringify({ loadBalancingConfig: [{ pick_first: {} }] }),
    });
    const seen = new Set<string>();
    for (let i = 0; i < 10; i++) seen.add(await client.who());
    assert.equal(seen.size, 1);
  });

  test("takes nodes from Consul's catalog too", TIME_LIMIT, async () => {
    register({ address: agent.address, mode: 'catalog' });
    await using a = await serve();
    const [Address, port] = a.address.split(':');
    const body = { Name: 'catalog.Echo', Address, Port: Number(port), Tags: ['x'] };
    await agent.request('PUT', '/agent/service/register', JSON.stringify(body)).catch(() => {}); // No JSON comes back.
    using client = connect('consul:///catalog.Echo?tag=x&passing=1');
    await client.until(a.address);
  });

  test(
    'F7: keeps nodes that are all gone from the list at once, unless told otherwise',
    TIME_LIMIT,
    async () => {
      register({ address: agent.address, emptyListPolicy: 'grace' });
      await using a = await serve();
      await agent.put('kept.Echo/a', a.address);
      using client = connect('consul:///kept.Echo');
      assert.equal(await client.who(), a.address);
      const before = logger.lines.length;
      await agent.delete('kept.Echo/a');
      while (!logger.lines.slice(before).some(({ message }) => /most nodes are gone/.test(message)))
        await turns();
      for (let i = 0; i < 5; i++) assert.equal(await client.who(), a.address);
    },
  );
});

test('a registry that cannot be asked is a clear error, and calls work once it can', TIME_LIMIT, async () => {
  register();
  await using agent = await startConsul();
  await using a = await serve();
  await agent.put('grpc.Echo/a', a.address);
  await agent.kill('SIGKILL');
  using client = connect(`consul://${agent.address}/grpc.Echo`);
  const error = await client.failure();
  assert.equal(error.code, status.UNAVAILABLE);
  assert.match(error.details, /cannot be reached.*is the agent running\?/);
  await agent.restart();
  await client.until(a.address);
  await agent.kill('SIGKILL');
  for (let i = 0; i < 5; i++) assert.equal(await client.who(), a.address, 'the last list is kept');
});

test('a client that is closed ends its watch', TIME_LIMIT, async () => {
  register();
  await using a = await serve();
  let open = 0;
  await using fake = await startFakeConsul(({ list, query, response }) => {
    if (!query.has('index')) return list({ 'grpc.Echo/a': a.address }, '7');
    open++;
    response.once('close', () => open--);
  });
  {
    using client = connect(`consul://${fake.address}/grpc.Echo`);
    assert.equal(await client.who(), a.address);
    while (open === 0) await turns();
  }
  while (open > 0) await turns();
});

test('a target is read strictly', () => {
  assert.deepEqual(parseTarget({ authority: '127.0.0.1:8500', path: 'a.B?tag=x&tag=y&passing=1&dc=eu' }), {
    service: 'a.B',
    address: '127.0.0.1:8500',
    datacenter: 'eu',
    tags: ['x', 'y'],
    passing: true,
  });
  assert.deepEqual(parseTarget({ authority: '', path: 'a.B' }), {
    service: 'a.B',
    address: undefined,
    datacenter: undefined,
    tags: [],
    passing: false,
  });
  for (const [path, why] of [
    ['', /service name ""/],
    ['../agent/leave', /service name/],
    ['a.B?token=x', /unknown parameter "token"; known are tag, passing, dc/],
    ['a.B?tag=', /empty tag/],
    ['a.B?dc=', /empty dc/],
    ['a.B?passing=0', /passing/],
    ['a.B?tag=x?y', /more than one/],
  ] as const)
    assert.throws(() => parseTarget({ path }), { code: Status.INVALID_ARGUMENT, message: why });
  assert.throws(() => parseTarget({ authority: 'user:pass@host', path: 'a.B' }), {
    message: /address of Consul/,
  });
  register();
  assert.throws(() => new Client('consul:///a..b', credentials.createInsecure()), /service name/);
  assert.throws(() => registerConsulResolver({ address: 'ftp://x' }), { code: Status.INVALID_ARGUMENT });
});
