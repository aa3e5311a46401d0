import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, RpcError, Status, silentLogger } from 'lictor';
import { fixed } from 'lictor/plugin/fixed';
import { calling } from './calling.js';
import { ms } from './figures.js';
import { nodesIn } from './nodes.js';
import { Reads } from './service.js';

const DESCRIPTORS = 64;
const LIMIT = {
  timeout: 120_000,
  skip: process.platform === 'linux' ? false : 'only Linux has prlimit',
};

function open(address: string): Promise<Socket> {
  const [host, port] = address.split(':') as [string, string];
  const socket = connect({ host, port: Number(port) });
  socket.on('error', () => {});
  return new Promise((resolve) => {
    for (const told of ['connect', 'close']) socket.once(told, () => resolve(socket));
  });
}

test(
  'F43: a server that runs out of file descriptors says so, answers its clients, and recovers',
  LIMIT,
  async (t) => {
    await using nodes = nodesIn('none');
    const address = await nodes.start();
    await using calls = calling({ resolver: fixed([address]), retry: false, perSecond: 200 });
    await calls.untilPicked([address], 50);
    execFileSync('prlimit', ['--pid', String(nodes.pid(address)), `--nofile=${DESCRIPTORS}`]);
    const began = performance.now();
    const sockets = await Promise.all(Array.from({ length: 2 * DESCRIPTORS }, () => open(address)));
    const lookOnce = async () => {
      await using client = new Client({
        target: address,
        logger: silentLogger,
        retry: false,
        timeoutMs: 3_000,
      });
      await client.service(Reads).look({ n: 1 });
    };
    const refused = await lookOnce().then(() => undefined, RpcError.from);
    const refusedMs = performance.now() - began;
    await sleep(3_500);
    const kept = sockets.filter((socket) => !socket.destroyed && socket.readable).length;
    const seconds = (performance.now() - began) / 1_000;
    for (const socket of sockets) socket.destroy();
    const freed = performance.now();
    for (let isServed = false; !isServed && performance.now() < freed + 10_000; await sleep(20))
      isServed = await lookOnce().then(
        () => true,
        () => false,
      );
    const recoveredMs = performance.now() - freed;
    // Only now: the process needs a descriptor to tell of its memory.
    const { warned } = await nodes.tell(address);
    await calls.stop();
    t.diagnostic(
      `${kept} of ${sockets.length} connections were kept; ${warned.length} warnings in ${seconds.toFixed(1)} s; a new client was refused after ${ms(refusedMs)}, and served ${ms(recoveredMs)} after there was room; ${calls.sent()} calls of one that was connected, ${JSON.stringify(calls.failed())} failed`,
    );
    assert.deepEqual(calls.failed(), {});
    assert.ok(kept < DESCRIPTORS, `${kept} of ${sockets.length}`);
    assert.equal(refused?.code, Status.UNAVAILABLE, String(refused));
    assert.equal(refused.maybeExecuted, false);
    assert.ok(warned.length >= 1 && warned.length <= seconds, `${warned.length} warnings`);
    for (const message of warned) assert.match(message, /ulimit -n/);
    assert.ok(recoveredMs <= 1_000, ms(recoveredMs));
  },
);
