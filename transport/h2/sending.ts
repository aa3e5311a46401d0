import { SendWindow } from './flow-control.js';
import type { FrameWriter } from './frame-writer.js';
import type { Output } from './output.js';
import type { Sender } from './owner.js';
import { DEFAULT_WINDOW } from './protocol.js';

/** Above this the socket has enough to do, and DATA waits for it to drain. */
const SOCKET_HIGH_WATER_BYTES = 262_144;

/**
 * Whose DATA goes out next (RFC 9113, 5.2). Streams with something queued take turns, a frame each, so that a large
 * message does not hold up small ones.
 *
 * They are linked to each other and not in a Set: a Set that has grown old makes its new tables among the old objects,
 * and with large buffers about each of those makes V8 look through the whole heap.
 */
export class Sending {
  readonly #writer: FrameWriter;
  readonly #output: Output;
  readonly #window = new SendWindow(DEFAULT_WINDOW);
  readonly #onSpent: () => void;
  #first: Sender | undefined;
  #last: Sender | undefined;

  /** @param onSpent told of each DATA frame */
  constructor(writer: FrameWriter, output: Output, onSpent: () => void) {
    this.#writer = writer;
    this.#output = output;
    this.#onSpent = onSpent;
  }

  /** Whether a message may go out now, whole. If so, its bytes are spent. */
  takes(stream: Sender, bytes: number): boolean {
    if (
      bytes > this.#writer.maxFrameBytes ||
      bytes > stream.sendWindow.available ||
      bytes > this.#window.available
    ) {
      return false;
    }
    if (this.#first !== undefined || this.#output.pendingBytes > SOCKET_HIGH_WATER_BYTES) return false;
    this.spend(stream, bytes);
    return true;
  }

  spend(stream: Sender, bytes: number): void {
    stream.sendWindow.take(bytes);
    this.#window.take(bytes);
    this.#onSpent();
  }

  /** WINDOW_UPDATE for the connection (6.9). False when the window is over 2^31-1. */
  add(increment: number): boolean {
    return this.#window.add(increment);
  }

  /** The stream has something queued. */
  enqueue(stream: Sender): void {
    if (!stream.isSending) this.#append(stream);
    this.send();
  }

  /** Sends what the windows and the socket let through. */
  send(): void {
    // One that comes back waits for its next turn, also when the windows or the socket end this round early.
    for (let stream = this.#first; stream !== undefined; stream = this.#first) {
      const room = Math.min(this.#writer.maxFrameBytes, this.#window.available);
      if (room <= 0 || this.#output.pendingBytes > SOCKET_HIGH_WATER_BYTES) return;
      this.remove(stream);
      if (stream.sendQueued(room) && !stream.isSending) this.#append(stream);
    }
  }

  #append(stream: Sender): void {
    stream.isSending = true;
    stream.sendsAfter = this.#last;
    if (this.#last) this.#last.sendsBefore = stream;
    else this.#first = stream;
    this.#last = stream;
  }

  remove(stream: Sender): void {
    if (!stream.isSending) return;
    const { sendsAfter, sendsBefore } = stream;
    if (sendsAfter) sendsAfter.sendsBefore = sendsBefore;
    else this.#first = sendsBefore;
    if (sendsBefore) sendsBefore.sendsAfter = sendsAfter;
    else this.#last = sendsAfter;
    stream.isSending = false;
    stream.sendsAfter = stream.sendsBefore = undefined;
  }
}
