import { ConnectionError, ErrorCode } from './protocol.js';

const MAX_CONTINUATIONS = 8;

/** A block of headers that has begun and not ended (RFC 9113, 4.3 and 6.10): no other frame may come in between. */
export class HeaderBlock {
  readonly #maxBytes: number;
  #bytes: Buffer | undefined;
  #continuations = 0;
  /** 0 when there is none. */
  streamId = 0;
  endStream = false;
  /** How many there have been, with this one. */
  count = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** HEADERS without END_HEADERS. */
  begin(streamId: number, endStream: boolean, fragment: Buffer): void {
    this.count++;
    this.streamId = streamId;
    this.endStream = endStream;
    this.#continuations = 0;
    this.#bytes = Buffer.from(fragment);
  }

  /** CONTINUATION. Returns the whole block when this is its last. @throws ConnectionError for too much of it */
  continue(fragment: Buffer, isLast: boolean): Buffer | undefined {
    const bytes = this.#bytes!.length + fragment.length;
    if (++this.#continuations > MAX_CONTINUATIONS || bytes > this.#maxBytes) {
      throw new ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, `a header block of more than ${bytes} bytes`);
    }
    const block = Buffer.concat([this.#bytes!, fragment], bytes);
    this.#bytes = isLast ? undefined : block;
    if (!isLast) return undefined;
    this.streamId = 0;
    return block;
  }
}
