import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Client, Server, type ServerOptions, silentLogger } from 'lictor';
import { Probe, probe } from '../../contract/transport.js';
import { type Frame, parse } from './frames.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

export const ECHO = Probe.methods.echo.path;
export const JSON_TYPE = 'application/grpc+json';
const MEBIBYTE = 1_048_576;

/** A hostile client on a real socket. */
export class Attacker {
  readonly socket: Socket;
  readonly #chunks: Buffer[] = [];
  /** The server has closed the connection, or the attacker has. */
  readonly closed: Promise<void>;

  constructor(address: string) {
    const [host, port] = address.split(':') as [string, string];
    this.socket = connect({ host, port: Number(port) });
    this.socket.on('data', (chunk: Buffer) => this.#chunks.push(chunk));
    this.socket.on('error', () => {}); // A server that is attacked may well reset.
    this.closed = new Promise((resolve) => this.socket.once('close', () => resolve()));
  }

  /** Writes at the pace of the server, until it closes. */
  async send(bytes: Uint8Array): Promise<void> {
    if (this.socket.destroyed || !this.socket.writable) return;
    if (this.socket.write(bytes)) return;
    await Promise.race([once(this.socket, 'drain').catch(() => {}), this.closed]);
  }

  get text(): string {
    return Buffer.concat(this.#chunks).toString('latin1');
  }

  get frames(): Frame[] {
    return parse(Buffer.concat(this.#chunks)).frames;
  }

  /** Resolves with the first frame that fits, which may have come already. */
  async frame(fits: (frame: Frame) => boolean): Promise<Frame> {
    for (;;) {
      const found = this.frames.find(fits);
      if (found) return found;
      if (this.socket.destroyed) throw new Error('the connection was closed before that frame');
      await Promise.race([once(this.socket, 'data').catch(() => {}), this.closed]);
    }
  }

  /** The code of the server's GOAWAY, if it came: a reset may overtake it. */
  get goAway(): number | undefined {
    return this.frames
      .find(({ type, payload }) => type === 7 && payload.readUInt32BE(4) > 0)
      ?.payload.readUInt32BE(4);
  }
}

/**
 * Runs an attack on a server that a healthy client calls all the while. No call of its may fail, and afterwards
 * the server has the sockets and, but for noise, the memory that it had before.
 */
export async function underAttack(
  attack: (address: string) => Promise<void>,
  options: ServerOptions = {},
): Promise<{ calls: number; grownBytes: number }> {
  const seen = { aborted: [], onAbort() {}, produced: 0, consumed: 0, completed: 0, started: 0 };
  await using server = new Server({ logger: silentLogger, graceMs: 0, transport: 'h2', ...options });
  server.registerService(Probe, probe(seen));
  await server.serve();
  await using client = new Client({
    logger: silentLogger,
    graceMs: 0,
    transport: 'h2',
    target: server.address,
  });
  const service = client.service(Probe);
  for (let i = 0; i < 200; i++) await service.echo({ text: 'warm' });
  const before = await settledState();

  let attacking = true;
  let calls = 0;
  const healthy = (async () => {
    while (attacking) {
      assert.deepEqual(await service.echo({ text: `call ${calls}` }, { timeoutMs: 10_000 }), {
        text: `call ${calls}`,
      });
      calls++;
      await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  try {
    await Promise.race([attack(server.address), healthy]);
  } finally {
    attacking = false;
  }
  await healthy;
  assert.ok(calls > 0);

  let after = await settledState();
  for (let i = 0; i < 300 && after.sockets > before.sockets; i++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    after = await settledState();
  }
  assert.equal(after.sockets, before.sockets, 'open sockets');
  const grownBytes = after.bytes - before.bytes;
  assert.ok(grownBytes < 16 * MEBIBYTE, `${grownBytes} bytes more are held than before`);
  return { calls, grownBytes };
}

async function settledState(): Promise<{ sockets: number; bytes: number }> {
  await new Promise((resolve) => setImmediate(resolve));
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return {
    sockets: process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length,
    bytes: heapUsed + external,
  };
}
