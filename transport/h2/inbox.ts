import { RpcError } from '../../rpc/error.js';
import { Status } from '../../rpc/status.js';
import { Readers } from '../readers.js';
import type { Budget } from './budget.js';
import { tooMuchUnread, unreadBytes, withoutChunk } from './unread.js';

type Step = IteratorResult<unknown, undefined>;

/** What an inbox tells its stream. */
export type InboxEvents = {
  /** Makes a message of its bytes. @throws for what is none */
  read(bytes: Uint8Array, compressed: boolean): unknown;
  /** The last message has been read. */
  onRoom(): void;
  /** The reader leaves before the end, or cannot read what came. */
  onLeave(error: RpcError): void;
};

const READ = Buffer.alloc(0);

/**
 * Messages that have come and were not read yet. They are inflated and decoded when they are read, so that they take
 * no more than they took on the wire. What bounds them is the stream's window, which is not topped up while something
 * lies here, and the budget, which also counts what each takes beside its bytes.
 */
export class Inbox implements AsyncIterator<unknown, undefined> {
  readonly #on: InboxEvents;
  readonly #readers = new Readers<unknown>();
  #budget: Budget | undefined; // None before its stream is open, and when that is over.
  #counted = 0; // Bytes, of the budget.
  #messages: Uint8Array[] = [];
  #first = 0; // Where in the list the first unread one is. The list is emptied as a whole, when all are read.
  #compacted = 0; // Up to where they hold no more than themselves.
  #compressed: Set<number> | undefined; // Where in the list the compressed ones are.
  #isCompacting = false;
  #end: { error: RpcError | undefined } | undefined;

  constructor(on: InboxEvents) {
    this.#on = on;
  }

  /** From now on what lies here counts in this budget. Nothing does yet. */
  countIn(budget: Budget): void {
    this.#budget = budget;
  }

  get isEmpty(): boolean {
    return this.#messages.length === 0;
  }

  /** @throws RpcError RESOURCE_EXHAUSTED when it would be more than the budget allows */
  put(bytes: Uint8Array, compressed: boolean): void {
    if (this.#end) return;
    const reader = this.#readers.take();
    if (!reader) return this.#keep(bytes, compressed);
    try {
      reader.resolve({ done: false, value: this.#on.read(bytes, compressed) });
    } catch (reason) {
      reader.reject(this.#unreadable(reason));
    }
  }

  #keep(bytes: Uint8Array, compressed: boolean): void {
    const cost = unreadBytes(bytes);
    if (this.#budget) {
      if (!this.#budget.take(cost)) throw tooMuchUnread();
      this.#counted += cost;
    }
    if (compressed) {
      this.#compressed ??= new Set();
      this.#compressed.add(this.#messages.length);
    }
    this.#messages.push(bytes);
    if (this.#isCompacting) return;
    this.#isCompacting = true;
    setImmediate(this.#compact);
  }

  /** Most messages are read in the turn in which they came. Those that are not must not hold the socket's whole chunk. */
  readonly #compact = (): void => {
    this.#isCompacting = false;
    const messages = this.#messages;
    for (let at = Math.max(this.#compacted, this.#first); at < messages.length; at++)
      messages[at] = withoutChunk(messages[at]!);
    this.#compacted = messages.length;
  };

  /** Nothing more comes; an error is told behind what has not been read. */
  close(error: RpcError | undefined): void {
    if (this.#end) return;
    this.#end = { error: this.#readers.isEmpty ? error : undefined }; // A failure is told once.
    this.#readers.end(error);
  }

  /** Forgets what has not been read: nobody waits for a call to end that was cancelled. */
  drop(): void {
    this.#budget?.giveBack(this.#counted);
    this.#counted = 0;
    this.#clear();
  }

  #clear(): void {
    this.#messages = [];
    this.#compressed = undefined;
    this.#first = this.#compacted = 0;
  }

  /** The stream is over: what still lies here is its reader's own, and the budget counts it no longer. */
  release(): void {
    this.#budget?.giveBack(this.#counted);
    this.#counted = 0;
    this.#budget = undefined;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<Step> {
    if (this.#messages.length > 0) return this.#next();
    if (this.#end) {
      const { error } = this.#end;
      this.#end = { error: undefined };
      return error ? Promise.reject(error) : Promise.resolve({ done: true, value: undefined });
    }
    return this.#readers.wait();
  }

  #next(): Promise<Step> {
    const at = this.#first++;
    const bytes = this.#messages[at]!;
    const compressed = this.#compressed?.delete(at) ?? false;
    if (this.#budget) {
      const cost = unreadBytes(bytes);
      this.#budget.giveBack(cost);
      this.#counted -= cost;
    }
    if (this.#first < this.#messages.length) this.#messages[at] = READ;
    else {
      this.#clear();
      this.#on.onRoom();
    }
    try {
      return Promise.resolve({ done: false, value: this.#on.read(bytes, compressed) });
    } catch (reason) {
      return Promise.reject(this.#unreadable(reason));
    }
  }

  async return(): Promise<Step> {
    const left = !this.#end || this.#messages.length > 0;
    this.#leave();
    if (left) this.#on.onLeave(new RpcError(Status.CANCELLED, 'the reader left the stream'));
    return { done: true, value: undefined };
  }

  #unreadable(reason: unknown): RpcError {
    const error = RpcError.from(reason, Status.INTERNAL);
    this.#leave();
    this.#on.onLeave(error);
    return error;
  }

  #leave(): void {
    this.drop();
    this.#end = { error: undefined };
    this.#readers.end();
  }
}
