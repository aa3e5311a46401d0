import { RpcError } from '../../rpc/error.js';
import type { MessageCodec } from '../../rpc/service.js';
import { Status } from '../../rpc/status.js';

type Step = IteratorResult<unknown, undefined>;

/**
 * Messages that have come and were not read yet, for one reader. They are decoded when they are read. What bounds it
 * is the stream's window, which is not topped up while something lies here.
 */
export class Inbox implements AsyncIterator<unknown, undefined> {
  readonly #codec: MessageCodec;
  readonly #onRoom: () => void;
  readonly #onLeave: (error: RpcError) => void;
  readonly #messages: Uint8Array[] = [];
  #compacted = 0; // Of those, how many hold no more than themselves.
  #end: { error: RpcError | undefined } | undefined;
  #reader: { resolve: (step: Step) => void; reject: (error: unknown) => void } | undefined;

  /**
   * @param on.onRoom told when the last message has been read
   * @param on.onLeave told when the reader leaves before the end, or cannot read what came
   */
  constructor(codec: MessageCodec, on: { onRoom: () => void; onLeave: (error: RpcError) => void }) {
    this.#codec = codec;
    this.#onRoom = on.onRoom;
    this.#onLeave = on.onLeave;
  }

  get isEmpty(): boolean {
    return this.#messages.length === 0;
  }

  put(bytes: Uint8Array): void {
    if (this.#end) return;
    const reader = this.#reader;
    if (!reader) {
      if (this.#messages.push(bytes) - this.#compacted === 1) setImmediate(this.#compact);
      return;
    }
    this.#reader = undefined;
    try {
      reader.resolve({ done: false, value: this.#codec.decode(bytes) });
    } catch (reason) {
      reader.reject(this.#unreadable(reason));
    }
  }

  /** Most messages are read in the turn in which they came. Those that are not must not hold the socket's whole chunk. */
  readonly #compact = (): void => {
    const messages = this.#messages;
    for (; this.#compacted < messages.length; this.#compacted++) {
      const bytes = messages[this.#compacted]!;
      if (bytes.length * 4 < bytes.buffer.byteLength) messages[this.#compacted] = Buffer.from(bytes);
    }
  };

  /** Nothing more comes; an error is told behind what has not been read. */
  close(error: RpcError | undefined): void {
    if (this.#end) return;
    this.#end = { error };
    const reader = this.#reader;
    this.#reader = undefined;
    if (reader) this.next().then(reader.resolve, reader.reject);
  }

  /** Forgets what has not been read: nobody waits for a call to end that was cancelled. */
  drop(): void {
    this.#forget();
  }

  #forget(): void {
    this.#messages.length = this.#compacted = 0;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<Step> {
    if (this.#messages.length > 0) {
      const bytes = this.#messages.shift()!;
      if (this.#compacted > 0) this.#compacted--;
      if (this.#messages.length === 0) this.#onRoom();
      try {
        return Promise.resolve({ done: false, value: this.#codec.decode(bytes) });
      } catch (reason) {
        return Promise.reject(this.#unreadable(reason));
      }
    }
    if (this.#end) {
      const { error } = this.#end;
      this.#end = { error: undefined }; // A failure is told once; after it the iteration is over.
      return error ? Promise.reject(error) : Promise.resolve({ done: true, value: undefined });
    }
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
    });
  }

  async return(): Promise<Step> {
    const left = !this.#end || this.#messages.length > 0;
    this.#forget();
    this.#end ??= { error: undefined };
    if (left) this.#onLeave(new RpcError(Status.CANCELLED, 'the reader left the stream'));
    return { done: true, value: undefined };
  }

  #unreadable(reason: unknown): RpcError {
    const error = RpcError.from(reason, Status.INTERNAL);
    this.#end ??= { error: undefined };
    this.#forget();
    this.#onLeave(error);
    return error;
  }
}
