import assert from 'node:assert/strict';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { type ConsulOptions, consul } from '../../plugin/consul/consul.js';
import { type Logger, silentLogger } from '../../rpc/log.js';
import { Status } from '../../rpc/status.js';
import { closedPort } from '../consul/agent.js';
import { FAKE_SESSION, type FakeConsul, type FakeExchange, startFakeConsul } from '../consul/fake.js';
import { until } from '../consul/registered.js';
import { recordingLogger } from './log.js';

const TIME_LIMIT = { timeout: 30_000 };
const ADDRESS = '127.0.0.1:8000';
const KEY = `Greeter/${ADDRESS}`;

const register = (
  fake: { readonly address: string },
  options: ConsulOptions = {},
  logger: Logger = silentLogger,
) => consul({ address: fake.address, ...options }).init({ address: ADDRESS, services: ['Greeter'], logger });

/** All is well: sessions are made and renewed, and the key is there. */
const well = ({ method, list, send, session }: FakeExchange) => {
  if (session()) return;
  if (method === 'GET') list({ [KEY]: ADDRESS }, '1');
  else send(200, 'true');
};

const asked = (fake: FakeConsul) =>
  fake.exchanges.map(({ method, path, query }) => {
    const verb = path.replace(/^\/v1/, '').replaceAll('%2F', '/').replaceAll('%3A', ':');
    return `${method} ${verb}${query.has('acquire') ? '?acquire' : ''}${query.has('recurse') ? '?recurse' : ''}`;
  });

test(
  'R2, R7: the session is made without a lock delay, and the flags are written to the last digit',
  TIME_LIMIT,
  async () => {
    const bodies: Promise<string>[] = [];
    await using fake = await startFakeConsul((exchange) => {
      if (exchange.path === '/v1/session/create') bodies.push(text(exchange.request));
      well(exchange);
    });
    await using _entry = await register(fake, { ttlMs: 15_000 });
    assert.deepEqual(JSON.parse(await bodies[0]!), {
      Name: `lictor ${ADDRESS}`,
      TTL: '15000ms',
      Behavior: 'delete',
      LockDelay: '0s',
      NodeChecks: [],
    });
    const put = fake.exchanges.find(({ query }) => query.has('acquire'))!;
    assert.equal(put.query.get('acquire'), FAKE_SESSION);
    assert.equal(put.query.get('flags'), '3304740253564472344');
  },
);

test('R6: closing deletes the keys first, and then ends the session', TIME_LIMIT, async () => {
  await using fake = await startFakeConsul(well);
  const entry = await register(fake);
  await entry[Symbol.asyncDispose]();
  assert.deepEqual(asked(fake), [
    'PUT /session/create',
    `PUT /kv/${KEY}?acquire`,
    `GET /kv/${KEY}?recurse`,
    `DELETE /kv/${KEY}`,
    `PUT /session/destroy/${FAKE_SESSION}`,
  ]);
});

test(
  'R6: an agent that does not answer holds up a server that stops no longer than the time-out',
  TIME_LIMIT,
  async () => {
    let isDown = false;
    await using fake = await startFakeConsul((exchange) => {
      if (!isDown) well(exchange);
    });
    const logger = recordingLogger();
    const entry = await register(fake, { timeoutMs: 300 }, logger);
    isDown = true;
    await entry[Symbol.asyncDispose]();
    assert.deepEqual(
      logger.lines.map(({ message, fields }) => [message, fields.key]),
      [['could not remove an entry from Consul: it goes away by itself, after twice the TTL', KEY]],
    );
  },
);

test(
  'a TTL that the agent does not take is a mistake of the caller, and not tried again',
  TIME_LIMIT,
  async () => {
    await using fake = await startFakeConsul(({ send }) =>
      send(500, "Invalid Session TTL '5000000000', must be between [10s=24h0m0s]"),
    );
    for (const startUnregistered of [false, true]) {
      await assert.rejects(register(fake, { ttlMs: 5_000, startUnregistered }), {
        code: Status.INVALID_ARGUMENT,
        message: /ttlMs: the agent does not take 5000 .*must be between \[10s=24h0m0s\]/,
      });
    }
    assert.equal(fake.exchanges.length, 2);
  },
);

test(
  'a key that the agent does not take fails the start at once, with what the agent says',
  TIME_LIMIT,
  async () => {
    await using fake = await startFakeConsul((exchange) => {
      if (exchange.session()) return;
      exchange.send(500, 'invalid key name, keys should respect the "^[a-zA-Z0-9,_./-?&=]+$" format');
    });
    const started = performance.now();
    await assert.rejects(register(fake), {
      code: Status.INVALID_ARGUMENT,
      message: /refused to write "Greeter\/127\.0\.0\.1:8000": .*keys should respect the/,
    });
    assert.ok(performance.now() - started < 5_000);
  },
);

test('W12: renewals have a connection of their own', TIME_LIMIT, async () => {
  await using fake = await startFakeConsul(well);
  await using _entry = await register(fake, { ttlMs: 1_000 });
  await until(
    () => asked(fake).filter((line) => line.includes('/renew/')).length,
    (renewals) => renewals >= 3,
  );
  const portsOf = (isMeant: (exchange: FakeExchange) => boolean) =>
    new Set(fake.exchanges.filter(isMeant).map(({ request }) => request.socket.remotePort));
  const renewals = portsOf(({ path }) => path.includes('/session/'));
  const others = portsOf(({ query }) => query.has('recurse'));
  assert.equal(renewals.size, 1);
  assert.ok(![...others].some((port) => renewals.has(port)));
});

test('R4: what passes while an agent finds its leader does not fail the start', TIME_LIMIT, async () => {
  const answers = ['Missing node registration', 'No cluster leader', 'rpc error making call: EOF'];
  await using fake = await startFakeConsul((exchange) => {
    const failure = exchange.method === 'PUT' ? answers.shift() : undefined;
    if (failure === undefined) well(exchange);
    else exchange.send(500, failure);
  });
  await using _entry = await register(fake);
  assert.equal(asked(fake).filter((line) => line === 'PUT /session/create').length, 4);
});

test(
  'F20: a slow agent is waited for, and a server whose agent takes too long does not start',
  TIME_LIMIT,
  async () => {
    await using slow = await startFakeConsul((exchange) => void setTimeout(() => well(exchange), 200));
    await using _entry = await register(slow);
    await assert.rejects(register(slow, { timeoutMs: 50 }), { code: Status.DEADLINE_EXCEEDED });
  },
);

test(
  'F20: a server may start without its entries, and gets them when the agent can be asked',
  TIME_LIMIT,
  async () => {
    let isDown = true;
    await using fake = await startFakeConsul((exchange) => {
      if (isDown) exchange.send(500, 'No cluster leader');
      else well(exchange);
    });
    const logger = recordingLogger();
    const entry = await register(fake, { timeoutMs: 300, startUnregistered: true, ttlMs: 1_000 }, logger);
    assert.match(logger.lines[0]!.message, /starts without entries in Consul/);
    isDown = false;
    await until(
      () => asked(fake),
      // The renewal that comes after it shows that the answer has been read.
      (all) => all.includes(`PUT /kv/${KEY}?acquire`) && all.at(-1)!.includes('/renew/'),
    );
    await entry[Symbol.asyncDispose]();
    assert.deepEqual(asked(fake).slice(-2), [`DELETE /kv/${KEY}`, `PUT /session/destroy/${FAKE_SESSION}`]);
  },
);

test('F20: a server that never could register stops at once', TIME_LIMIT, async () => {
  const fake = { address: `127.0.0.1:${await closedPort()}` };
  const entry = await register(fake, { startUnregistered: true, timeoutMs: 5_000 });
  await entry[Symbol.asyncDispose]();
});

test('R3: an answer of false is no registration', TIME_LIMIT, async () => {
  await using fake = await startFakeConsul((exchange) => {
    if (exchange.query.has('acquire')) exchange.send(200, 'false');
    else well(exchange);
  });
  await assert.rejects(register(fake, { timeoutMs: 300 }), {
    code: Status.UNAVAILABLE,
    message: /cannot be taken at the moment.*lock delay/,
  });
});

test('the token is in nothing that a registration says', TIME_LIMIT, async () => {
  const token = '6d0f1e0a-53f1-4c39-8a43-75c2e5f1d0aa';
  await using fake = await startFakeConsul(({ send, request }) =>
    send(500, `invalid session of ${request.headers['x-consul-token']}`),
  );
  const logger = recordingLogger();
  const entry = await register(fake, { token, startUnregistered: true, timeoutMs: 100 }, logger);
  await entry[Symbol.asyncDispose]();
  assert.ok(logger.lines.length > 0);
  for (const line of logger.lines) assert.ok(!JSON.stringify(line).includes(token), JSON.stringify(line));
});
