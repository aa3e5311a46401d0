import type { Output } from './output.js';

/** Within this a client has to take something of what is written to it. */
const WRITE_TIMEOUT_MS = 60_000;

/** Sees that a peer takes what is written to it. */
export class Taken {
  readonly #output: Output;
  #bytes = 0;
  #since = 0;

  constructor(output: Output) {
    this.#output = output;
  }

  /** What is wrong when it has taken nothing for too long. */
  check(now: number): Error | undefined {
    const { pendingBytes, takenBytes } = this.#output;
    if (pendingBytes === 0 || takenBytes !== this.#bytes) this.#since = now;
    this.#bytes = takenBytes;
    if (now - this.#since < WRITE_TIMEOUT_MS) return undefined;
    return new Error(`the client took nothing for ${WRITE_TIMEOUT_MS} ms`);
  }
}
