import { remainingMs } from '../../rpc/deadline.js';
import { RpcError } from '../../rpc/error.js';
import { Status } from '../../rpc/status.js';
import type { ConnectOptions, OutgoingCall } from '../transport.js';
import type { WireMethod } from '../wire-method.js';
import { listBytes, requestFields, timeoutText } from './headers.js';
import type { HpackEncoder } from './hpack-encoder.js';
import { PreparedBlock } from './hpack-prepared.js';
import type { PeerSettings } from './peer-settings.js';
import type { Fields } from './stream.js';

/** Time-outs of a method that have a block of their own; most clients use one or two. */
const MAX_BLOCKS = 4;

/** The header blocks of the requests of one connection. */
export class RequestBlocks {
  readonly #encoder: HpackEncoder;
  readonly #peerSettings: PeerSettings;
  readonly #options: ConnectOptions;
  readonly #authority: string;
  readonly #blocks = new WeakMap<WireMethod, Map<string, PreparedBlock>>();
  readonly #bases = new WeakMap<WireMethod, PreparedBlock>(); // Without a time-out.

  /** @param peerSettings what the server says there, now and later */
  constructor(encoder: HpackEncoder, peerSettings: PeerSettings, options: ConnectOptions, authority: string) {
    this.#encoder = encoder;
    this.#peerSettings = peerSettings;
    this.#options = options;
    this.#authority = authority;
  }

  /**
   * Calls of one method and time-out, and without metadata, share a block that is ready after the first of them.
   * @throws RpcError for a header that the server would not take
   */
  of(call: OutgoingCall): Buffer {
    const left = remainingMs(call.deadline);
    const timeout = Number.isFinite(left) ? timeoutText(left) : '';
    const { metadata, compression = this.#options.compression } = call;
    if ((metadata && metadata.size > 0) || compression !== this.#options.compression)
      return this.#encoder.encode(this.#fields(call, timeout));
    let byTimeout = this.#blocks.get(call.wire);
    if (!byTimeout) {
      byTimeout = new Map();
      this.#blocks.set(call.wire, byTimeout);
    }
    let block = byTimeout.get(timeout);
    if (!block) {
      if (byTimeout.size >= MAX_BLOCKS) return this.#blockWith(call, timeout);
      block = new PreparedBlock(this.#encoder, this.#fields(call, timeout));
      byTimeout.set(timeout, block);
    }
    return block.encode();
  }

  /** For time-outs that differ from call to call: the block without it, which stays ready, and behind it the one field. */
  #blockWith(call: OutgoingCall, timeout: string): Buffer {
    let base = this.#bases.get(call.wire);
    if (!base) {
      base = new PreparedBlock(this.#encoder, this.#fields(call, ''));
      this.#bases.set(call.wire, base);
    }
    return Buffer.concat([base.encode(), this.#encoder.encode(['grpc-timeout', timeout])]);
  }

  #fields(call: OutgoingCall, timeout: string): Fields {
    const { tls } = this.#options;
    const { compression = this.#options.compression } = call;
    const fields = requestFields({
      path: call.wire.method.path,
      scheme: tls ? 'https' : 'http',
      authority: this.#authority,
      contentType: call.wire.contentType,
      encoding: compression === 'identity' ? undefined : compression,
      timeout,
      metadata: call.metadata,
    });
    const bytes = listBytes(fields);
    const { maxHeaderListBytes } = this.#peerSettings;
    if (bytes > maxHeaderListBytes) throw headerTooLarge(bytes, maxHeaderListBytes, this.#options.address);
    return fields;
  }
}

/** Before it is sent: a server that gets more may end the connection, and with it the calls of others (6.5.2). */
const headerTooLarge = (bytes: number, maxBytes: number, address: string) =>
  new RpcError(
    Status.RESOURCE_EXHAUSTED,
    `the header of the request has ${bytes} bytes with its metadata, the server at ${address} takes ${maxBytes}`,
    { maybeExecuted: false },
  );
