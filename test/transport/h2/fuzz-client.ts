import { RpcError, Status } from 'lictor';
import { type ClientSide, clientSide, type Outcome } from './client-side.js';
import {
  block,
  data,
  frame,
  goAway,
  message,
  ping,
  reset,
  settings,
  settingsAck,
  uint32,
  windowUpdate,
} from './frames.js';
import { chunksOf, int, mutate, pick, type Random } from './fuzz.js';

const HEAD = [':status', '200', 'content-type', 'application/grpc+raw'];
// Blocks are made once: it is the connection that is to be tried, and not the encoder.
const headBlocks = [
  block(...HEAD),
  block(...HEAD, 'grpc-encoding', 'gzip'),
  block(...HEAD, 'content-length', '7'),
  block(':status', '103'),
];
const trailerBlocks = [
  block('grpc-status', '0'),
  block('grpc-status', '5', 'grpc-message', 'not%20found'),
  block(...HEAD, 'grpc-status', '14'),
];
const strangeBlocks = [
  block(':status', '503', 'content-type', 'text/html'),
  block(':path', '/t/Echo', 'x', 'y'),
  block('grpc-status', '99'),
  Buffer.from([0xff, 0xff, 0xff]),
  Buffer.from([0x40, 1, 0x78, 1, 0x79, 0xbe]),
  Buffer.alloc(0),
];

/** What a server answers to calls 1, 3, 5 ... below `nextId`; whole frames that make sense more often than not. */
function randomAnswers(random: Random, nextId: number): Buffer[] {
  const frames: Buffer[] = [settingsAck];
  const id = () => (random() < 0.95 ? 1 + 2 * int(random, nextId >> 1) : int(random, nextId + 6));
  const text = () => message('x'.repeat(int(random, pick(random, [2, 30, 3_000]))), random() < 0.97 ? 0 : 1);
  for (let count = 1 + int(random, 20); count > 0; count--) {
    const kind = random();
    if (kind < 0.3) frames.push(frame(1, pick(random, [4, 4, 4, 0]), id(), pick(random, headBlocks)));
    else if (kind < 0.55) frames.push(data(id(), text(), pick(random, [0, 0, 0, 1, 8])));
    else if (kind < 0.6) frames.push(data(id(), text().subarray(0, int(random, 12)), int(random, 2)));
    else if (kind < 0.75) frames.push(frame(1, 5, id(), pick(random, trailerBlocks)));
    else if (kind < 0.8)
      frames.push(frame(1, pick(random, [4, 5, 12, 36]), id(), pick(random, strangeBlocks)));
    else if (kind < 0.83) frames.push(windowUpdate(random() < 0.5 ? 0 : id(), int(random, 100_000)));
    else if (kind < 0.88) frames.push(reset(id(), int(random, 16)));
    else if (kind < 0.91)
      frames.push(settings([int(random, 8), pick(random, [0, 1, 16_384, 70_000, 2 ** 31 - 1])]));
    else if (kind < 0.93) frames.push(ping(int(random, 2)));
    else if (kind < 0.95) frames.push(goAway(int(random, nextId + 2), int(random, 14)));
    else if (kind < 0.96)
      frames.push(frame(5, 4, id(), Buffer.concat([uint32(2), pick(random, headBlocks)])));
    else if (kind < 0.97) frames.push(frame(9, pick(random, [0, 4]), id(), pick(random, strangeBlocks)));
    else
      frames.push(
        frame(int(random, 12), int(random, 256), id(), Buffer.alloc(int(random, 20), int(random, 256))),
      );
  }
  return frames;
}

/** A client whose server sends mutated frames, and what became of its calls. */
export type HostileServer = {
  readonly side: ClientSide;
  readonly longestMs: number;
  readonly unary: Outcome[][];
  /** By stream, how it ended: once each. */
  readonly streams: string[][];
};

/** One connection whose server sends mutated frames. Its streams are read, or left after their first reply. */
export function hostileServer(random: Random): HostileServer {
  const side = clientSide();
  side.socket.keeps = false;
  side.socket.reads = random() < 0.9;
  side.socket.receive(settings([4, pick(random, [0, 1, 100, 65_535, 1_000_000])]));
  const unary: Outcome[][] = [];
  const streams: string[][] = [];
  let nextId = 1;
  for (let count = 1 + int(random, 6); count > 0; count--) {
    nextId += 2;
    if (random() < 0.6) {
      const { outcomes, call } = side.call({ request: Buffer.alloc(int(random, 30_000)) });
      unary.push(outcomes);
      if (random() < 0.1) call.cancel(new RpcError(Status.CANCELLED, 'cancelled'));
    } else streams.push(read(side.stream(requests(int(random, 4))), random() < 0.2));
  }
  const bytes = mutate(Buffer.concat(randomAnswers(random, nextId)), random);
  let longestMs = 0;
  for (const chunk of chunksOf(bytes, random)) {
    const start = performance.now();
    side.socket.receive(chunk);
    longestMs = Math.max(longestMs, performance.now() - start);
  }
  return { side, longestMs, unary, streams };
}

async function* requests(count: number) {
  for (let i = 0; i < count; i++) yield Buffer.alloc(1_000);
}

function read(replies: AsyncIterable<unknown>, leaves: boolean): string[] {
  const ends: string[] = [];
  const all = async () => {
    for await (const _ of replies) if (leaves) break;
  };
  all().then(
    () => ends.push('end'),
    () => ends.push('error'),
  );
  return ends;
}

/** Ends the connection. */
export function hangUp({ side }: HostileServer): void {
  side.socket.emit('end');
  side.socket.destroy();
}

/** After a turn behind `hangUp`: nothing is held, and every call has ended once. @throws Error for what is not so */
export function checkEnded({ side: { connection }, unary, streams }: HostileServer): void {
  if (!connection.isClosed) throw new Error('the connection did not end with its socket');
  const { budget } = connection;
  if (budget.streams !== 0 || budget.bytes !== 0 || connection.openStreams !== 0)
    throw new Error(`${budget.streams} streams and ${budget.bytes} bytes were held back`);
  for (const outcomes of [...unary, ...streams])
    if (outcomes.length !== 1) throw new Error(`a call has ended ${outcomes.length} times`);
}
