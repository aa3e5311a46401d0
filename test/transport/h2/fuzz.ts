import {
  block,
  data,
  frame,
  goAway,
  message,
  ping,
  requestFields,
  reset,
  settings,
  uint32,
  windowUpdate,
} from './frames.js';
import { type ServerSide, serverSide } from './server-side.js';

export type Random = () => number;

const PATHS = ['/t/Echo', '/t/Echo', '/t/Hang', '/t/Big', '/t/Chat', '/t/Slow', '/t/None'];

export const int = (random: Random, below: number) => Math.floor(random() * below);
export const pick = <T>(random: Random, list: readonly T[]): T => list[int(random, list.length)]!;

// Blocks are made once: it is the connection that is to be tried, and not the encoder.
const requestBlocks = PATHS.map((path) => block(...requestFields(path)));
const strangeBlocks = [
  block(...requestFields('/t/Echo', 'grpc-timeout', '5m')),
  block(...requestFields('/t/Echo', 'grpc-encoding', 'gzip')),
  block(...requestFields('/t/Chat', 'Upper', 'case')),
  block(':status', '200'),
  block('x', 'y'),
  Buffer.from([0xff, 0xff, 0xff]),
  Buffer.from([0x40, 1, 0x78, 1, 0x79, 0xbe]),
  Buffer.alloc(0),
];

/** Whole frames that make sense more often than not, with numbers of streams that mostly do. */
export function randomFrames(random: Random): Buffer[] {
  const frames: Buffer[] =
    random() < 0.95 ? [settings([4, pick(random, [0, 1, 100, 65_535, 1_000_000])])] : [];
  let nextId = 1;
  const open = () => 1 + 2 * int(random, nextId >> 1);
  const id = () => (random() < 0.98 && nextId > 1 ? open() : int(random, 12));
  const text = () => message('x'.repeat(int(random, pick(random, [2, 30, 3_000]))));
  for (let count = 1 + int(random, 12); count > 0; count--) {
    const kind = nextId === 1 ? random() * 0.35 : random();
    if (kind < 0.3) {
      const flags = pick(random, [4, 4, 4, 5, 0]);
      frames.push(frame(1, flags, random() < 0.95 ? nextId : id(), pick(random, requestBlocks)));
      if (flags === 0) frames.push(frame(9, pick(random, [4, 4, 0]), nextId, pick(random, strangeBlocks)));
      nextId += 2;
    } else if (kind < 0.6) frames.push(data(id(), text(), pick(random, [0, 1, 1, 8])));
    else if (kind < 0.65) frames.push(data(id(), text().subarray(0, int(random, 12)), int(random, 2)));
    else if (kind < 0.7) frames.push(windowUpdate(random() < 0.5 ? 0 : id(), int(random, 100_000)));
    else if (kind < 0.77) frames.push(reset(id(), int(random, 16)));
    else if (kind < 0.82)
      frames.push(settings([int(random, 8), pick(random, [0, 1, 16_384, 70_000, 2 ** 31 - 1])]));
    else if (kind < 0.86) frames.push(ping(int(random, 2)));
    else if (kind < 0.88) frames.push(goAway(int(random, 9), int(random, 14)));
    else if (kind < 0.93)
      frames.push(frame(1, pick(random, [4, 5, 12, 36]), id(), pick(random, strangeBlocks)));
    else if (kind < 0.96) frames.push(frame(2, 0, id(), Buffer.alloc(5)));
    else
      frames.push(
        frame(int(random, 12), int(random, 256), id(), Buffer.alloc(int(random, 20), int(random, 256))),
      );
  }
  return frames;
}

/** Changes, drops, repeats or swaps a little of what a client sends. */
export function mutate(bytes: Buffer, random: Random): Buffer {
  let changed = Buffer.from(bytes);
  for (let count = int(random, 6) - 2; count > 0 && changed.length > 0; count--) {
    const at = int(random, changed.length);
    const how = random();
    if (how < 0.5) changed[at] = int(random, 256);
    else if (how < 0.7) changed[at] = changed[at]! ^ (1 << int(random, 8));
    else if (how < 0.8)
      changed = Buffer.concat([changed.subarray(0, at), changed.subarray(at + 1 + int(random, 9))]);
    else if (how < 0.9)
      changed = Buffer.concat([changed.subarray(0, at), uint32(int(random, 2 ** 32)), changed.subarray(at)]);
    else changed = Buffer.concat([changed, changed.subarray(at)]);
  }
  return changed;
}

export function* chunksOf(bytes: Buffer, random: Random): Generator<Buffer> {
  for (let at = 0; at < bytes.length; ) {
    const length = 1 + int(random, pick(random, [1, 12, 200, 70_000]));
    yield bytes.subarray(at, at + length);
    at += length;
  }
}

/** Ends a connection and checks that it has held nothing back. @throws Error for what it holds */
export function checkReleased({ connection, socket, budget }: ServerSide): void {
  socket.emit('end');
  if (!connection.isClosed) throw new Error('the connection did not end with its socket');
  if (budget.streams !== 0 || budget.bytes !== 0 || connection.openStreams !== 0) {
    throw new Error(`${budget.streams} streams and ${budget.bytes} bytes were held back`);
  }
  socket.destroy();
}

/** One connection whose client sends mutated frames. Returns the time that its longest chunk took. */
export function hostileConnection(random: Random): { side: ServerSide; longestMs: number } {
  const side = serverSide({ bigBytes: 200_000 });
  side.socket.keeps = false;
  const bytes = mutate(Buffer.concat(randomFrames(random)), random);
  let longestMs = 0;
  side.socket.reads = random() < 0.9;
  for (const chunk of chunksOf(bytes, random)) {
    const start = performance.now();
    side.socket.receive(chunk);
    longestMs = Math.max(longestMs, performance.now() - start);
  }
  return { side, longestMs };
}
