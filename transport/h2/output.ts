import type { Socket } from 'node:net';

const CHUNK_BYTES = 65_536;
/** A connection with less to say in a turn does not keep a chunk: there may be many of them. Comes from Node's pool. */
const SMALL_CHUNK_BYTES = 1_024;
const NOTHING = Buffer.alloc(0);
/** From this size on a payload goes to the socket as it is; below it is cheaper to copy it beside its neighbours. */
const COPY_BELOW = 8_192;

/**
 * What is to be written to a socket, gathered over one turn of the event loop, so that many small frames are one
 * write. Frames are laid one after another in a chunk that is left to the socket and replaced when it is full, or used
 * again when the socket is through with it; its size follows from what was said before.
 */
export class Output {
  readonly #socket: Socket;
  readonly #parts: Buffer[] = []; // Finished, in order, before what is in the chunk.
  #partBytes = 0;
  #turnBytes = 0; // That were written in the last turn.
  #chunk: Buffer = NOTHING;
  #from = 0; // In the chunk: what the socket has not been given yet starts here,
  #to = 0; // and ends here.
  #scheduled = false;

  readonly #owner: { readonly openStreams: number };

  constructor(socket: Socket, owner: { readonly openStreams: number }) {
    this.#socket = socket;
    this.#owner = owner;
  }

  /** Bytes that have not gone to the kernel yet. */
  get pendingBytes(): number {
    return this.#socket.writableLength + this.#partBytes + this.#to - this.#from;
  }

  /** Bytes that have gone to the kernel. */
  get takenBytes(): number {
    return this.#socket.bytesWritten - this.#socket.writableLength;
  }

  /** Makes room for so many bytes (at most 16 KiB) in `chunk`, at the offset returned. Fill it before asking again. */
  reserve(bytes: number): number {
    if (this.#to + bytes > this.#chunk.length) this.#replaceChunk(bytes);
    const offset = this.#to;
    this.#to += bytes;
    if (!this.#scheduled) this.#schedule();
    return offset;
  }

  get chunk(): Buffer {
    return this.#chunk;
  }

  /** Payload bytes: copied when few, else sent from where they are, so that they must not change afterwards. */
  write(source: Uint8Array, start: number, end: number): void {
    const bytes = end - start;
    if (bytes >= COPY_BELOW) {
      this.#cut();
      this.#add(Buffer.from(source.buffer, source.byteOffset + start, bytes));
      if (!this.#scheduled) this.#schedule();
      return;
    }
    const offset = this.reserve(bytes);
    this.#chunk.set(bytes === source.length ? source : source.subarray(start, end), offset);
  }

  readonly flush = (): void => {
    this.#scheduled = false;
    this.#cut();
    const parts = this.#parts;
    if (parts.length === 0) return;
    if (this.#socket.writable) {
      if (parts.length > 1) this.#socket.cork();
      for (const part of parts) this.#socket.write(part);
      if (parts.length > 1) this.#socket.uncork();
    }
    this.#turnBytes = this.#partBytes;
    if (this.#turnBytes <= SMALL_CHUNK_BYTES) {
      this.#chunk = NOTHING;
      this.#from = this.#to = 0;
    } else if (this.#socket.writableLength === 0) {
      // The kernel has its own copy already.
      this.#from = this.#to = 0;
    }
    parts.length = 0;
    this.#partBytes = 0;
  };

  #schedule(): void {
    this.#scheduled = true;
    // A call that is alone has nobody to wait for but what its own tick still writes.
    if (this.#owner.openStreams <= 1) process.nextTick(this.flush);
    // After the poll phase: what all sockets brought in this turn, and the promises that hang on it, are done by then.
    else setImmediate(this.flush);
  }

  #cut(): void {
    if (this.#to === this.#from) return;
    this.#add(this.#chunk.subarray(this.#from, this.#to));
    this.#from = this.#to;
  }

  #add(part: Buffer): void {
    this.#parts.push(part);
    this.#partBytes += part.length;
  }

  #replaceChunk(bytes: number): void {
    this.#cut();
    const likely = Math.min(Math.max(this.#partBytes, this.#turnBytes) * 4, CHUNK_BYTES);
    this.#chunk = Buffer.allocUnsafe(Math.max(SMALL_CHUNK_BYTES, likely, bytes));
    this.#from = this.#to = 0;
  }
}
