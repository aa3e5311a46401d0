import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { type Frame, parse } from './frames.js';

/** The socket of a connection whose peer is the test. */
export class FakeSocket extends Duplex {
  /** What the connection has written. */
  written: Buffer[] = [];
  /** Whether that is kept. */
  keeps = true;
  /** Whether the peer reads. */
  reads = true;
  readonly remoteAddress = '127.0.0.1';
  readonly remotePort = 1;
  bytesWritten = 0;
  isReferenced = true;
  #held: (() => void)[] = [];

  constructor() {
    super({ allowHalfOpen: false, autoDestroy: true });
  }

  get asSocket(): Socket {
    return this as unknown as Socket;
  }

  /** The frames written so far. */
  get frames(): Frame[] {
    return parse(Buffer.concat(this.written)).frames;
  }

  /** The peer sends; in this turn, as a real socket would in one of its own. */
  receive(...chunks: Uint8Array[]): void {
    for (const chunk of chunks) if (!this.destroyed) this.emit('data', Buffer.from(chunk));
  }

  /** The peer reads again. */
  drain(): void {
    this.reads = true;
    for (const done of this.#held.splice(0)) done();
  }

  override _read(): void {}

  override _write(chunk: Buffer, _: string, done: () => void): void {
    this.bytesWritten += chunk.length;
    // A copy, as the kernel makes one: what writes may use its buffer again.
    if (this.keeps) this.written.push(Buffer.from(chunk));
    if (this.reads) done();
    else this.#held.push(done);
  }

  setNoDelay(): this {
    return this;
  }

  ref(): this {
    this.isReferenced = true;
    return this;
  }

  unref(): this {
    this.isReferenced = false;
    return this;
  }

  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once('finish', () => this.destroy());
  }
}

/** After the flush of this turn. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
