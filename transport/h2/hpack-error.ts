/**
 * A header block that the connection cannot go on after: the tables of both sides are, or may be, no longer alike.
 *
 * - `COMPRESSION_ERROR`: the block breaks RFC 7541 (RFC 9113, 4.3)
 * - `ENHANCE_YOUR_CALM`: the block is so far above the limit that decoding it on would only help an attacker
 */
export class HpackError extends Error {
  override readonly name = 'HpackError';
  /** The error code of the GOAWAY frame (RFC 9113, 7). */
  readonly code: 'COMPRESSION_ERROR' | 'ENHANCE_YOUR_CALM';

  constructor(message: string, code: HpackError['code'] = 'COMPRESSION_ERROR') {
    super(message);
    this.code = code;
  }
}
