import type { HpackEncoder } from './hpack-encoder.js';

/**
 * The block of fields that a connection sends again and again. The first use puts the fields into the encoder's table;
 * after that the block is an index per field, a few bytes, and is made again only when the table has changed.
 */
export class PreparedBlock {
  readonly #encoder: HpackEncoder;
  readonly #fields: readonly string[];
  #bytes: Buffer | undefined;
  #version = 0;

  /** @param fields name, value, name, value, ...; not to be changed */
  constructor(encoder: HpackEncoder, fields: readonly string[]) {
    this.#encoder = encoder;
    this.#fields = fields;
  }

  /** The block to send next on the encoder's connection; not to be changed, and sent once for each call. */
  encode(): Buffer {
    const before = this.#encoder.version;
    if (this.#bytes !== undefined && this.#version === before) return this.#bytes;
    const bytes = this.#encoder.encodeRepeating(this.#fields);
    // A block that has put something into the table, or told its size, does so once.
    if (this.#encoder.version === before) {
      this.#bytes = bytes;
      this.#version = before;
    } else {
      this.#bytes = undefined;
    }
    return bytes;
  }
}
