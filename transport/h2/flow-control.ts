import { ConnectionError, ErrorCode, MAX_WINDOW } from './protocol.js';

/** What we may still send to the peer (RFC 9113, 5.2 and 6.9). May go below zero when the peer lowers its settings. */
export class SendWindow {
  #available: number;

  constructor(initial: number) {
    this.#available = initial;
  }

  get available(): number {
    return this.#available;
  }

  take(bytes: number): void {
    this.#available -= bytes;
  }

  /** False when the sum would be over 2^31-1, which is the peer's error (6.9.1). */
  add(bytes: number): boolean {
    this.#available += bytes;
    return this.#available <= MAX_WINDOW;
  }
}

/** What the peer may still send to us. It is topped up when half is used, so that the peer never has to wait for it. */
export class ReceiveWindow {
  readonly #size: number;
  #available: number;
  #unreturned = 0;
  #ahead = 0; // Bytes that the peer was let send above the window's size, to be taken off what is returned later.

  constructor(size: number) {
    this.#size = size;
    this.#available = size;
  }

  /** @throws ConnectionError FLOW_CONTROL_ERROR when the peer has sent more than it may */
  received(bytes: number): void {
    this.#available -= bytes;
    if (this.#available < 0)
      throw new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, 'more data than the window allows');
  }

  /** Bytes that have been taken from the buffer. Returns the WINDOW_UPDATE that is due, or 0. */
  consumed(bytes: number): number {
    const paid = Math.min(this.#ahead, bytes);
    this.#ahead -= paid;
    this.#unreturned += bytes - paid;
    if (this.#unreturned < this.#size >> 1) return 0;
    const increment = this.#unreturned;
    this.#unreturned = 0;
    this.#available += increment;
    return increment;
  }

  /** Lets the peer send so many bytes, also when the window is smaller. Returns the WINDOW_UPDATE that is due, or 0. */
  ensure(bytes: number): number {
    const increment = bytes - this.#available;
    if (increment <= 0) return 0;
    const returned = Math.min(increment, this.#unreturned);
    this.#unreturned -= returned;
    this.#ahead += increment - returned;
    this.#available += increment;
    return increment;
  }
}
