import type { MessageCodec } from '../../rpc/service.js';

/**
 * Which requests of a stream came compressed, until they are read. It stands before their codec, since they are
 * decoded when they are read, each once and in their order.
 */
export class CompressedRequests implements MessageCodec {
  /** Whether the last that was read was compressed. */
  last = false;
  readonly #unread: boolean[] = [];
  readonly #codec: MessageCodec;

  constructor(codec: MessageCodec) {
    this.#codec = codec;
  }

  /** Told of each before it can be read. */
  came(compressed: boolean): void {
    this.#unread.push(compressed);
  }

  encode(message: unknown): Uint8Array {
    return this.#codec.encode(message);
  }

  decode(bytes: Uint8Array): unknown {
    this.last = this.#unread.shift() ?? false;
    return this.#codec.decode(bytes);
  }
}
