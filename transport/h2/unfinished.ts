import type { FrameReader } from './frame-reader.js';
import type { HeaderBlock } from './header-block.js';
import { ConnectionError, ErrorCode } from './protocol.js';

/** RFC 9113, 10.5: absolute, so that one byte now and then does not extend it. */
const FRAME_TIMEOUT_MS = 10_000;

/** Sees that frames, and blocks of headers, that begin also end. */
export class Unfinished {
  readonly #reader: FrameReader;
  readonly #block: HeaderBlock;
  #last = 0; // What had begun and not ended at the last look,
  #since = 0; // and when it was seen first.

  constructor(reader: FrameReader, block: HeaderBlock) {
    this.#reader = reader;
    this.#block = block;
  }

  /** @throws ConnectionError */
  check(now: number): void {
    const unfinished = this.#number();
    if (unfinished !== this.#last) {
      this.#last = unfinished;
      this.#since = now;
    } else if (unfinished !== 0 && now - this.#since >= FRAME_TIMEOUT_MS) {
      throw new ConnectionError(
        ErrorCode.ENHANCE_YOUR_CALM,
        `a frame that has not ended after ${FRAME_TIMEOUT_MS} ms`,
      );
    }
  }

  /** A number of its own for each frame and each block, or 0. */
  #number(): number {
    if (this.#reader.midFrame) return this.#reader.partials;
    return this.#block.streamId > 0 ? -this.#block.count : 0;
  }
}
