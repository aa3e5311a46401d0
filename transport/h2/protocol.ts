/** Names of RFC 9113's numbers. */

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1'); // 3.4
export const FRAME_HEADER_BYTES = 9; // 4.1

/** Frame types, 6. */
export const DATA = 0;
export const HEADERS = 1;
export const PRIORITY = 2;
export const RST_STREAM = 3;
export const SETTINGS = 4;
export const PUSH_PROMISE = 5;
export const PING = 6;
export const GOAWAY = 7;
export const WINDOW_UPDATE = 8;
export const CONTINUATION = 9;

/** Flags, 6. */
export const ACK = 0x1;
export const END_STREAM = 0x1;
export const END_HEADERS = 0x4;
export const PADDED = 0x8;
export const HAS_PRIORITY = 0x20;

/** Error codes, 7. */
export const ErrorCode = {
  NO_ERROR: 0x0,
  PROTOCOL_ERROR: 0x1,
  INTERNAL_ERROR: 0x2,
  FLOW_CONTROL_ERROR: 0x3,
  SETTINGS_TIMEOUT: 0x4,
  STREAM_CLOSED: 0x5,
  FRAME_SIZE_ERROR: 0x6,
  REFUSED_STREAM: 0x7,
  CANCEL: 0x8,
  COMPRESSION_ERROR: 0x9,
  CONNECT_ERROR: 0xa,
  ENHANCE_YOUR_CALM: 0xb,
  INADEQUATE_SECURITY: 0xc,
  HTTP_1_1_REQUIRED: 0xd,
} as const;
export type ErrorCode = (typeof ErrorCode)[keyof typeof ErrorCode];

export const errorName = (code: number): string =>
  Object.entries(ErrorCode).find(([, value]) => value === code)?.[0] ?? `error ${code}`;

/** Settings, 6.5.2. */
export const HEADER_TABLE_SIZE = 1;
export const ENABLE_PUSH = 2;
export const MAX_CONCURRENT_STREAMS = 3;
export const INITIAL_WINDOW_SIZE = 4;
export const MAX_FRAME_SIZE = 5;
export const MAX_HEADER_LIST_SIZE = 6;
/**
 * Our own, of the range for experiments: a server says by the value 1 that it takes a PING every 10 s for as long as a
 * connection lasts, which gRPC's servers do not (gRFC A8). Others ignore it, as they have to.
 */
export const WELCOMES_PINGS = 0xf11c;

export const DEFAULT_WINDOW = 65_535; // 6.9.2
export const MAX_WINDOW = 0x7fff_ffff; // 6.9.1
export const MIN_MAX_FRAME_SIZE = 16_384; // 4.2
export const MAX_MAX_FRAME_SIZE = 16_777_215;
export const MAX_STREAM_ID = 0x7fff_ffff; // 5.1.1

/** Ends the connection with GOAWAY and this code (5.4.1). */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, text: string, options?: ErrorOptions) {
    super(`${errorName(code)}: ${text}`, options);
    this.code = code;
  }
}
