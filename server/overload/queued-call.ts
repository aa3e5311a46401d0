import { deadlineExceeded } from '../../rpc/deadline.js';
import type { RpcError } from '../../rpc/error.js';
import type { Cancellable, IncomingCall } from '../../transport/transport.js';
import type { Waiting } from './call-queue.js';
import type { Priority } from './priority.js';

export type Queued = {
  readonly incoming: IncomingCall & { fail(error: RpcError): void };
  readonly priority: Priority;
  readonly bytes: number;
  readonly since: number;
  /** @returns whether its handler goes on */
  readonly run: (now: number) => boolean;
  /** It has ended before it ran. */
  readonly left: (call: QueuedCall) => void;
};

/** A call that waits for its turn; its client may give it up meanwhile. */
export class QueuedCall implements Waiting, Cancellable {
  readonly priority: Priority;
  readonly bytes: number;
  readonly since: number;
  isGone = false;
  /** Undefined once it has ended: it may stay in the queue for a while, and its request and its handler need not. */
  #queued: Queued | undefined;

  constructor(queued: Queued) {
    const { priority, bytes, since, incoming } = queued;
    this.priority = priority;
    this.bytes = bytes;
    this.since = since;
    this.#queued = queued;
    incoming.running = this;
  }

  /**
   * Its turn has come.
   * @returns whether its handler goes on
   */
  run(now: number): boolean {
    const { incoming, run } = this.#queued!;
    if (incoming.deadline === undefined || incoming.deadline > now) return run(now);
    this.refuse(deadlineExceeded('the deadline passed while the call waited for its turn', false));
    return false;
  }

  /** It is in the queue no more. */
  refuse(error: RpcError): void {
    const { incoming, left } = this.#queued!;
    incoming.running = undefined;
    left(this);
    incoming.fail(error);
  }

  /** The transport ends it towards its client. */
  cancel(): void {
    if (!this.#queued) return;
    const { left } = this.#queued;
    this.#queued = undefined;
    this.isGone = true;
    left(this);
  }
}
