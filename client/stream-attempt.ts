import { type Abortable, forgetAborted, tellWhenAborted } from '../rpc/aborted.js';
import type { CompressionName } from '../rpc/compression.js';
import type { Deadline } from '../rpc/deadline.js';
import { RpcError } from '../rpc/error.js';
import type { Metadata } from '../rpc/metadata.js';
import { Status } from '../rpc/status.js';
import type { NodeLoad } from '../selector/load.js';
import type { ReplyStream, StreamCall } from '../transport/transport.js';
import type { WireMethod } from '../transport/wire-method.js';
import { cancelledBy } from './cancelled-by.js';
import type { Routed } from './routing.js';

/** What a stream sends, whichever node gets it. */
export type OutgoingStream = {
  readonly wire: WireMethod;
  readonly metadata: Metadata | undefined;
  readonly deadline: Deadline | undefined;
  readonly compression: CompressionName | undefined;
  readonly signal: AbortSignal | undefined;
};

/** A streaming call at one node; the transport gets this very object. */
export class StreamAttempt implements StreamCall, Abortable {
  readonly wire: WireMethod;
  readonly metadata: Metadata | undefined;
  readonly deadline: Deadline | undefined;
  readonly compression: CompressionName | undefined;
  readonly stream: ReplyStream;
  readonly replies: AsyncIterator<unknown>;
  /** Of the node; without it the call has a fixed target. */
  readonly load: NodeLoad | undefined;
  readonly #signal: AbortSignal | undefined;
  #isOver = false;

  /** Sends it. @throws RpcError */
  constructor(call: OutgoingStream, routed: Routed, requests: AsyncIterable<unknown>) {
    this.wire = call.wire;
    this.metadata = call.metadata;
    this.deadline = call.deadline;
    this.compression = call.compression;
    this.load = routed.load;
    this.#signal = call.signal;
    if (this.load) this.load.inFlight++;
    try {
      this.stream = routed.connection.stream(this, requests);
      this.replies = this.stream[Symbol.asyncIterator]();
    } catch (reason) {
      this.ended();
      throw RpcError.from(reason, Status.INTERNAL);
    }
    if (this.#signal && !this.#isOver) tellWhenAborted(this.#signal, this);
  }

  /** The node has nothing more to do with the call. */
  get isOver(): boolean {
    return this.#isOver;
  }

  onAborted(signal: AbortSignal): void {
    this.stream.cancel(cancelledBy(signal, true));
  }

  ended(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.load) this.load.inFlight--;
    if (this.#signal) forgetAborted(this.#signal, this);
  }
}
