import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Client, memory, Server, Status, silentLogger } from 'lictor';
import { failure } from '../contract/transport.js';
import { Signalled } from './signalled-service.js';

const program = fileURLToPath(new URL('./signalled.js', import.meta.url));
const LIMIT = { timeout: 60_000 };

/** A process that serves and has one call in flight. */
async function holding(graceMs: number) {
  const child = fork(program, [String(graceMs)]);
  const exited = once(child, 'exit');
  const message = async () => ((await once(child, 'message')) as [string])[0];
  const address = await message();
  const client = new Client({ target: address, timeoutMs: 600_000, graceMs: 0 });
  const held = message();
  const call = client.service(Signalled).hold({});
  call.catch(() => {});
  assert.equal(await held, 'holding');
  return {
    child,
    call,
    message,
    exited: exited as Promise<[code: number | null, signal: string | null]>,
    async [Symbol.asyncDispose]() {
      await client.close();
      child.kill('SIGKILL');
      await exited;
    },
  };
}

describe('a server that handles signals', () => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    test(`ends with 0 on ${signal} when its calls in flight have ended`, LIMIT, async () => {
      await using it = await holding(600_000);
      const leaving = it.message();
      it.child.kill(signal);
      assert.equal(await leaving, 'leaving');
      it.child.send('release');
      assert.deepEqual(await it.call, { held: true });
      assert.deepEqual(await it.exited, [0, null]);
    });
  }

  test('ends at once on a second signal', LIMIT, async () => {
    await using it = await holding(600_000);
    const leaving = it.message();
    it.child.kill('SIGTERM');
    await leaving;
    it.child.kill('SIGINT');
    assert.deepEqual(await it.exited, [0, null]);
    assert.equal((await failure(it.call)).code, Status.UNAVAILABLE);
  });

  test('ends when the grace is over, with a call that hangs', LIMIT, async () => {
    await using it = await holding(50);
    it.child.kill('SIGTERM');
    assert.deepEqual(await it.exited, [0, null]);
    assert.equal((await failure(it.call)).maybeExecuted, true);
  });

  test('listens to signals only while it is open', async () => {
    const count = () => process.listenerCount('SIGTERM') + process.listenerCount('SIGINT');
    const before = count();
    const options = { handleSignals: true, transport: memory(), logger: silentLogger };
    const server = await new Server(options).serve();
    assert.equal(count(), before + 2);
    await server.close();
    assert.equal(count(), before);
    await new Server({ ...options, handleSignals: false }).close();
    assert.equal(count(), before);
  });
});
