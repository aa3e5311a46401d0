import { ConnectionError, ErrorCode } from './protocol.js';

const MAX_CONTINUATIONS = 8;
/** Of these frames a block has as many as its bytes need. */
const FULL_FRAME_BYTES = 16_384;

/** A block of headers that has begun and not ended (RFC 9113, 4.3 and 6.10): no other frame may come in between. */
export class HeaderBlock {
  readonly #maxBytes: number;
  readonly #maxContinuations: number;
  #fragments: Buffer[] = [];
  #length = 0;
  #continuations = 0;
  /** 0 when there is none. */
  streamId = 0;
  endStream = false;
  /** How many there have been, with this one. */
  count = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
    this.#maxContinuations = Math.max(MAX_CONTINUATIONS, Math.ceil(maxBytes / FULL_FRAME_BYTES));
  }

  /** HEADERS without END_HEADERS. */
  begin(streamId: number, endStream: boolean, fragment: Buffer): void {
    this.count++;
    this.streamId = streamId;
    this.endStream = endStream;
    this.#continuations = 0;
    this.#length = 0;
    this.#keep(fragment);
  }

  /** CONTINUATION. Returns the whole block when this is its last. @throws ConnectionError for too much of it */
  continue(fragment: Buffer, isLast: boolean): Buffer | undefined {
    const bytes = this.#length + fragment.length;
    if (++this.#continuations > this.#maxContinuations || bytes > this.#maxBytes) {
      throw new ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, `a header block of more than ${bytes} bytes`);
    }
    this.#keep(fragment);
    if (!isLast) return undefined;
    this.streamId = 0;
    return Buffer.concat(this.#fragments.splice(0), bytes);
  }

  /** A copy: a view would hold the socket's whole chunk. */
  #keep(fragment: Buffer): void {
    this.#fragments.push(Buffer.from(fragment));
    this.#length += fragment.length;
  }
}
