import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, silentLogger } from 'lictor';
import { data, headers, hello, message, requestFields, windowUpdate } from '../transport/h2/frames.js';
import { type Nodes, nodesIn } from './nodes.js';
import { resources } from './resources.js';
import { Reads } from './service.js';

// What a server holds for clients that ask for much and read nothing of it.

const LIMIT = { timeout: 120_000 };
const READERS = 100;
const MESSAGE_BYTES = 65_536;
const MOST_MIB = 64;
/** A socket of each is given 256 KiB, and one message waits. */
const MOST_BUFFERS_MIB = 48;
const MEBIBYTE = 2 ** 20;
/** 6.9.1 */
const MAX_WINDOW = 2 ** 31 - 1;

/** A client that gives a stream all the room there is, and does not read its socket. */
async function deafReader(address: string, path: string, n: number): Promise<Socket> {
  const [host, port] = address.split(':') as [string, string];
  const socket = connect({ host, port: Number(port) });
  socket.on('error', () => {});
  await once(socket, 'connect');
  socket.pause();
  const fields = requestFields(path).map((field) =>
    field === 'application/grpc+raw' ? 'application/grpc+json' : field,
  );
  socket.write(
    Buffer.concat([
      hello([4, MAX_WINDOW]),
      windowUpdate(0, MAX_WINDOW - 65_535),
      headers(1, fields),
      data(1, message(JSON.stringify({ n }))),
    ]),
  );
  return socket;
}

async function readSome(client: Client, messages: number): Promise<void> {
  let read = 0;
  for await (const _ of client.service(Reads).pour({ n: MESSAGE_BYTES })) if (++read === messages) return;
}

/** Waits until streams give no more, and tells how much the server has grown meanwhile. */
async function settled(nodes: Nodes, address: string) {
  let highest = 0;
  for (let before = -1; ; await sleep(500)) {
    const { poured, rss, external } = await nodes.tell(address);
    highest = Math.max(highest, rss);
    if (poured === before) return { poured, highest, rss, external };
    before = poured;
  }
}

for (const { what, open } of [
  {
    what: 'sockets that are not read',
    async open(address: string) {
      const sockets = await Promise.all(
        Array.from({ length: READERS }, () => deafReader(address, Reads.methods.pour.path, MESSAGE_BYTES)),
      );
      return () => {
        for (const socket of sockets) socket.destroy();
      };
    },
  },
  {
    what: 'streams that are not read',
    async open(address: string) {
      const client = new Client({ target: address, logger: silentLogger });
      const streams = Array.from({ length: READERS }, () =>
        client.service(Reads).pour({ n: MESSAGE_BYTES })[Symbol.asyncIterator](),
      );
      await Promise.all(streams.map((stream) => stream.next()));
      return async () => {
        await Promise.all(streams.map((stream) => stream.return?.()));
        await client.close();
      };
    },
  },
]) {
  test(
    `F56: ${READERS} ${what} stop their writers, and the server holds little for them`,
    LIMIT,
    async (t) => {
      await using nodes = nodesIn('none', '', { behaviour: { workMs: 0 } });
      const address = await nodes.start();
      const before = resources();
      await using healthy = new Client({ target: address, logger: silentLogger });
      // What a process keeps of its garbage when it has sent as much to some that read is none of theirs.
      await Promise.all(Array.from({ length: READERS }, () => readSome(healthy, 70)));
      await sleep(1_000);
      const atFirst = await nodes.tell(address);
      const close = await open(address);
      const { poured, highest, rss, external } = await settled(nodes, address);
      const [grown, peak, buffers] = [
        rss - atFirst.rss,
        highest - atFirst.rss,
        external - atFirst.external,
      ].map((bytes) => bytes / MEBIBYTE) as [number, number, number];
      const at = performance.now();
      for (let i = 0; i < 200; i++) await healthy.service(Reads).fetch({ n: 100 });
      const callMs = (performance.now() - at) / 200;
      assert.equal((await nodes.tell(address)).poured, poured, 'writers went on');
      await close();
      await sleep(500);
      const { heapUsed } = await nodes.tell(address);
      await healthy.close();
      await resources.are(before);
      t.diagnostic(
        `${poured} messages of ${MESSAGE_BYTES} bytes were given and no more; the server grew by ${grown.toFixed(1)} MiB (at most ${peak.toFixed(1)}), ${buffers.toFixed(1)} of it in buffers, and has ${((heapUsed - atFirst.heapUsed) / MEBIBYTE).toFixed(1)} MiB of heap more when they are gone; another client's call took ${callMs.toFixed(2)} ms`,
      );
      assert.ok(grown < MOST_MIB, `${grown} MiB`);
      assert.ok(buffers < MOST_BUFFERS_MIB, `${buffers} MiB of buffers`);
      assert.ok(heapUsed - atFirst.heapUsed < 5 * MEBIBYTE);
    },
  );
}
