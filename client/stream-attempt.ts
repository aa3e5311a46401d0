import { type Abortable, forgetAborted, tellWhenAborted } from '../rpc/aborted.js';
import type { CompressionName } from '../rpc/compression.js';
import type { Deadline } from '../rpc/deadline.js';
import { RpcError } from '../rpc/error.js';
import type { Metadata } from '../rpc/metadata.js';
import { Status } from '../rpc/status.js';
import type { ListedNode } from '../selector/listed-node.js';
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
  readonly signals: readonly AbortSignal[];
};

/** A streaming call at one node; the transport gets this very object. */
export class StreamAttempt implements StreamCall, Abortable {
  readonly wire: WireMethod;
  readonly metadata: Metadata | undefined;
  readonly deadline: Deadline | undefined;
  readonly compression: CompressionName | undefined;
  readonly stream: ReplyStream;
  readonly replies: AsyncIterator<unknown>;
  /** Without it the call has a fixed target. */
  readonly node: ListedNode | undefined;
  /** The server had begun to answer. */
  isCommitted = false;
  readonly #began: number;
  readonly #signals: readonly AbortSignal[];
  #isAnswering = false;
  #isOver = false;

  /** Sends it. @throws RpcError */
  constructor(call: OutgoingStream, routed: Routed, requests: AsyncIterable<unknown>, now: number) {
    this.wire = call.wire;
    this.metadata = call.metadata;
    this.deadline = call.deadline;
    this.compression = call.compression;
    this.node = routed.node;
    this.#began = now;
    this.#signals = call.signals;
    this.node?.began();
    try {
      this.stream = routed.connection.stream(this, requests);
      this.replies = this.stream[Symbol.asyncIterator]();
    } catch (reason) {
      const error = RpcError.from(reason, Status.INTERNAL);
      this.ended(error);
      throw error;
    }
    if (!this.#isOver) for (const signal of this.#signals) tellWhenAborted(signal, this);
  }

  /** The node has nothing more to do with the call. */
  get isOver(): boolean {
    return this.#isOver;
  }

  onAborted(signal: AbortSignal): void {
    this.stream.cancel(cancelledBy(signal, true));
  }

  /** Of a stream of replies the first is there: how long that took says something of the node, unless it waits for requests. */
  answered(): void {
    if (this.wire.method.kind === 'serverStream') this.node?.answered(this.#began, performance.now());
    if (!this.node || this.#isOver) return;
    this.#isAnswering = true;
    this.node.answering++;
  }

  ended(error: RpcError | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.#isAnswering) this.node!.answering--;
    this.node?.left(error, this.#began, performance.now(), this.wire.method);
    for (const signal of this.#signals) forgetAborted(signal, this);
  }
}
