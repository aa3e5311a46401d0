/** What DATA has to add up to, when `content-length` says it (RFC 9113, 8.1.1). */
export class ContentLength {
  #left: number;

  constructor(bytes: number) {
    this.#left = bytes;
  }

  /** False when this makes it more than was announced. */
  take(bytes: number): boolean {
    this.#left -= bytes;
    return this.#left >= 0;
  }

  get isWhole(): boolean {
    return this.#left === 0;
  }
}

/** Undefined for what is no length (RFC 9110, 8.6). */
export const parseContentLength = (text: string): number | undefined =>
  /^\d{1,15}$/.test(text) ? Number(text) : undefined;
