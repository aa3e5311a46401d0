import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';

/** What is wrong with a line, from the moment at which it is told. */
export type Chaos = {
  /** Added to the way of what is sent, there as well as back. The order stays. @default 0 */
  readonly latencyMs?: number;
  /** The latency is that much more or less. @default 0 */
  readonly jitterMs?: number;
  /** As if this share of what is sent had been lost and sent again. @default 0 */
  readonly lossShare?: number;
  /** Passed on in pieces of this size, a turn of the event loop for each. */
  readonly pieceBytes?: number;
  /** Nothing arrives any more, an end or a reset included: a black hole. */
  readonly drops?: boolean;
  /** After so many bytes of the server's on a connection ... */
  readonly cut?: { readonly afterBytes: number; readonly by: 'reset' | 'half-close' };
  /** Which bits flip of the byte at this position of what one side sends on a connection. */
  readonly flips?: (position: number, side: Side) => number;
};

export type Side = 'client' | 'server';

/** Of Linux, when there is no more traffic that would tell of the loss. */
const RETRANSMISSION_MS = 200;

/** A line to a server that does to what passes whatever the test says. */
export interface ChaosProxy extends AsyncDisposable {
  readonly address: string;
  /** What happens from now on, on connections that are open, too. */
  chaos: Chaos;
  /** From clients that are open. */
  readonly connections: number;
  /** How many connections were cut as `chaos.cut` says. */
  readonly cuts: number;
  /** Of all connections, from the server. */
  readonly replyBytes: number;
  /** How long each piece was on its way, there or back, in milliseconds: on a busy machine longer than the chaos says. */
  readonly heldMs: readonly number[];
}

/** @param target where the server is: `127.0.0.1:port` */
export async function chaosProxy(target: string, first: Chaos = {}): Promise<ChaosProxy> {
  const [host, port] = target.split(':') as [string, string];
  const open = new Set<Socket>();
  const lines = new Set<Line>();
  const all = { cuts: 0, replyBytes: 0, heldMs: [] as number[] };
  let chaos = first;

  const server = createServer({ noDelay: true, allowHalfOpen: true }, (client) => {
    const upstream = connect({ host, port: Number(port), noDelay: true, allowHalfOpen: true });
    const line: Line = { client, server: upstream, passed: { client: 0, server: 0 }, state: 'whole' };
    lines.add(line);
    for (const side of ['client', 'server'] as const) {
      const socket = line[side];
      const other = line[side === 'client' ? 'server' : 'client'];
      open.add(socket);
      socket.unref(); // Of the two, only the client's own counts as one that a client may leave behind.
      socket.on('error', () => {}); // Told by 'close'.
      socket.on('close', () => {
        open.delete(socket);
        lines.delete(line);
        if (chaos.drops || line.state === 'lost') return;
        if (socket.errored) other.resetAndDestroy();
        else other.destroySoon();
      });
      pass(line, side, socket, other);
    }
  });

  /** Passes on what one side sends, in order and as late as the chaos says. */
  function pass(line: Line, side: Side, from: Socket, to: Socket): void {
    let order = Promise.resolve();
    const later = (then: () => Promise<void> | void) => {
      const came = performance.now();
      const due = came + delayMs(chaos);
      order = order.then(async () => {
        const left = due - performance.now();
        if (left > 0.5) await sleep(left);
        all.heldMs.push(performance.now() - came);
        // What comes after a hole would be no stream of bytes any more.
        if (chaos.drops) line.state = 'lost';
        if (line.state !== 'lost') await then();
      });
    };
    from.on('data', (bytes: Buffer) => later(() => forward(line, side, to, bytes)));
    from.on('end', () => {
      if (chaos.drops || line.state === 'lost') from.destroy();
      else later(() => void to.end());
    });
  }

  async function forward(line: Line, side: Side, to: Socket, bytes: Buffer): Promise<void> {
    const { cut, flips } = chaos;
    const from = line.passed[side];
    line.passed[side] += bytes.length;
    if (flips) for (let i = 0; i < bytes.length; i++) bytes[i]! ^= flips(from + i, side);
    if (side === 'client') return send(to, bytes);
    all.replyBytes += bytes.length;
    if (line.state === 'cut') return;
    if (!cut || from + bytes.length < cut.afterBytes) return send(to, bytes);
    line.state = 'cut';
    all.cuts++;
    await send(to, bytes.subarray(0, cut.afterBytes - from));
    if (cut.by === 'half-close') return void to.end();
    await sleep(1); // A reset may overtake what was sent before it.
    to.resetAndDestroy();
  }

  async function send(to: Socket, bytes: Buffer): Promise<void> {
    const { pieceBytes = bytes.length } = chaos;
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      to.write(bytes.subarray(at, at + pieceBytes));
      if (pieceBytes < bytes.length) await turn();
    }
  }

  server.listen(0, '127.0.0.1').unref();
  await once(server, 'listening');
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    get chaos() {
      return chaos;
    },
    set chaos(next) {
      chaos = next;
      for (const { passed } of lines) passed.client = passed.server = 0;
    },
    get connections() {
      return lines.size;
    },
    get cuts() {
      return all.cuts;
    },
    get replyBytes() {
      return all.replyBytes;
    },
    get heldMs() {
      return all.heldMs;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

function delayMs({ latencyMs = 0, jitterMs = 0, lossShare = 0 }: Chaos): number {
  const lost = Math.random() < lossShare ? RETRANSMISSION_MS : 0;
  return latencyMs + (Math.random() * 2 - 1) * jitterMs + lost;
}

type Line = Readonly<Record<Side, Socket>> & {
  /** Bytes that each side has sent since the chaos was told. */
  readonly passed: Record<Side, number>;
  state: 'whole' | 'cut' | 'lost';
};
