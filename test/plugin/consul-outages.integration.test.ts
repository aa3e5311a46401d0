import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startConsul } from '../consul/agent.js';
import { ADDRESS, entryOf, expiry, register, TTL_MS, until } from '../consul/registered.js';
import { recordingLogger } from './log.js';

// What an agent may do to registrations, each with an agent of its own.

const TIME_LIMIT = { timeout: 60_000 };

test(
  'F17: a registration is renewed while the agent takes no more connections from the host',
  TIME_LIMIT,
  async () => {
    await using agent = await startConsul({ config: 'limits { http_max_conns_per_client = 40 }' });
    const key = `f17.Greeter/${ADDRESS}`;
    await using _entry = await register(agent, ['f17.Greeter', 'f17.Other']);
    const before = await entryOf(agent, key);
    const [host, port] = agent.address.split(':');
    const sockets = Array.from({ length: 80 }, () => connect(Number(port), host).on('error', () => {}));
    // The agent cuts those that are too many: then it is full.
    await Promise.race(sockets.map((socket) => once(socket.resume(), 'close')));
    await expiry();
    for (const socket of sockets) socket.destroy();
    const now = await until(
      () => entryOf(agent, key),
      () => true,
    );
    assert.deepEqual(now, before);
  },
);

test(
  'F1: an agent that is killed and comes back with its data finds the entry and the session as they were',
  TIME_LIMIT,
  async () => {
    await using agent = await startConsul();
    const key = `Greeter/${ADDRESS}`;
    const logger = recordingLogger();
    await using _entry = await register(agent, 'Greeter', { ttlMs: 5_000 }, logger);
    const before = await entryOf(agent, key);
    await agent.kill('SIGKILL');
    await until(
      () => logger.lines.length,
      (lines) => lines > 0,
    );
    await sleep(1_500); // Several tries more.
    await agent.restart();
    assert.deepEqual(await entryOf(agent, key), before);
    await sleep(5_000);
    assert.deepEqual(await entryOf(agent, key), before);
    assert.deepEqual(
      logger.lines.map(({ message }) => message),
      ['could not keep up the entries in Consul: they go away if that goes on'],
    );
  },
);

test('R5, F3: an agent that has lost its data gets the entry again', TIME_LIMIT, async () => {
  await using agent = await startConsul();
  const key = `Greeter/${ADDRESS}`;
  await using _entry = await register(agent, 'Greeter', { ttlMs: 10_000 });
  const before = await entryOf(agent, key);
  await agent.restart({ wipe: true });
  const back = await until(
    () => entryOf(agent, key),
    (entry) => entry !== undefined,
  );
  assert.notEqual(back?.session, before?.session);
});

test('F4: an agent that hung until all sessions had expired gets the entry again', TIME_LIMIT, async () => {
  await using agent = await startConsul();
  const key = `Greeter/${ADDRESS}`;
  await using _entry = await register(agent, 'Greeter');
  await agent.kill('SIGSTOP');
  await sleep(4 * TTL_MS);
  await agent.kill('SIGCONT');
  await sleep(500); // In which it expires what is due.
  const back = await until(
    () => entryOf(agent, key),
    (entry) => entry !== undefined,
  );
  await expiry();
  assert.equal((await entryOf(agent, key))?.session, back?.session);
});

test('F16: a token that is revoked and comes back gets the entry again', TIME_LIMIT, async () => {
  const master = '6d0f1e0a-53f1-4c39-8a43-75c2e5f1d0aa';
  await using agent = await startConsul({
    token: master,
    config: `acl { enabled = true default_policy = "deny" tokens { master = "${master}" agent = "${master}" } }`,
  });
  const rules = 'key_prefix "" { policy = "write" } session_prefix "" { policy = "write" }';
  await agent.request('PUT', '/acl/policy', JSON.stringify({ Name: 'test', Rules: rules }));
  const token = { SecretID: '11111111-53f1-4c39-8a43-75c2e5f1d0bb', Policies: [{ Name: 'test' }] };
  const make = async () =>
    ((await agent.request('PUT', '/acl/token', JSON.stringify(token))) as { AccessorID: string }).AccessorID;
  const accessor = await make();
  const key = `Greeter/${ADDRESS}`;
  const logger = recordingLogger();
  await using _entry = await register(agent, 'Greeter', { token: token.SecretID }, logger);
  await agent.request('DELETE', `/acl/token/${accessor}`);
  await until(
    () => entryOf(agent, key),
    (entry) => entry === undefined,
  );
  await make();
  await until(
    () => entryOf(agent, key),
    (entry) => entry !== undefined,
  );
  assert.match(String(logger.lines[0]?.fields.reason), /session_prefix "" \{ policy = "write" \}/);
  for (const line of logger.lines) assert.ok(!JSON.stringify(line).includes(token.SecretID));
});

test(
  'F25: a server that stops while Consul is down stops, and its entry goes by itself',
  TIME_LIMIT,
  async () => {
    await using agent = await startConsul();
    const key = `Greeter/${ADDRESS}`;
    const logger = recordingLogger();
    const entry = await register(agent, 'Greeter', { timeoutMs: 500 }, logger);
    await agent.kill('SIGKILL');
    await entry[Symbol.asyncDispose]();
    assert.match(logger.lines.at(-1)!.message, /it goes away by itself/);
    await agent.restart();
    await until(
      () => entryOf(agent, key),
      (found) => found === undefined,
    );
  },
);
