import { frameSize, protocolError } from './frame-errors.js';
import type { HpackEncoder } from './hpack-encoder.js';
import {
  ConnectionError,
  DEFAULT_WINDOW,
  ENABLE_PUSH,
  ErrorCode,
  HEADER_TABLE_SIZE,
  INITIAL_WINDOW_SIZE,
  MAX_CONCURRENT_STREAMS,
  MAX_FRAME_SIZE,
  MAX_HEADER_LIST_SIZE,
  MAX_MAX_FRAME_SIZE,
  MAX_WINDOW,
  MIN_MAX_FRAME_SIZE,
  WELCOMES_PINGS,
} from './protocol.js';

/** Entries of one SETTINGS frame. There are six that we know. */
const MAX_SETTINGS = 32;

/** What the peer has announced (RFC 9113, 6.5.2). */
export class PeerSettings {
  readonly #encoder: HpackEncoder;
  initialWindow = DEFAULT_WINDOW;
  maxStreams = Number.POSITIVE_INFINITY;
  /** What it takes of a list of fields, as `listBytes` counts it. */
  maxHeaderListBytes = Number.POSITIVE_INFINITY;
  welcomesPings = false;

  constructor(encoder: HpackEncoder) {
    this.#encoder = encoder;
  }

  /** The payload of a SETTINGS frame. @throws ConnectionError */
  read(buffer: Buffer, start: number, end: number): void {
    if ((end - start) % 6 !== 0) throw frameSize('SETTINGS');
    if (end - start > MAX_SETTINGS * 6) {
      throw new ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, `more than ${MAX_SETTINGS} settings in a frame`);
    }
    for (let at = start; at < end; at += 6) this.#set(buffer.readUInt16BE(at), buffer.readUInt32BE(at + 2));
  }

  #set(id: number, value: number): void {
    switch (id) {
      case HEADER_TABLE_SIZE:
        this.#encoder.setMaxTableBytes(value);
        return;
      case ENABLE_PUSH:
        if (value > 1) throw protocolError(`ENABLE_PUSH ${value}`);
        return;
      case MAX_CONCURRENT_STREAMS:
        this.maxStreams = value;
        return;
      case INITIAL_WINDOW_SIZE:
        if (value > MAX_WINDOW)
          throw new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, `initial window ${value}`);
        this.initialWindow = value;
        return;
      case MAX_FRAME_SIZE:
        if (value < MIN_MAX_FRAME_SIZE || value > MAX_MAX_FRAME_SIZE)
          throw protocolError(`MAX_FRAME_SIZE ${value}`);
        // Larger frames would let one message hold up the others for longer.
        return;
      case MAX_HEADER_LIST_SIZE:
        this.maxHeaderListBytes = value;
        return;
      case WELCOMES_PINGS:
        this.welcomesPings = value === 1;
        return;
      default: // 6.5.2: unknown settings are ignored.
    }
  }
}
