import { deadlineExceeded } from '../rpc/deadline.js';
import { RpcError } from '../rpc/error.js';
import { Status } from '../rpc/status.js';
import type { IncomingCall } from '../transport/transport.js';

/** Who may come in: limits that hold for the whole server. */
export class Gate {
  readonly #maxConcurrentCalls: number;
  readonly #maxMetadataBytes: number;
  readonly #timeoutMs: number;
  #inFlight = 0;

  constructor(limits: { maxConcurrentCalls: number; maxMetadataBytes: number; timeoutMs: number }) {
    this.#maxConcurrentCalls = limits.maxConcurrentCalls;
    this.#maxMetadataBytes = limits.maxMetadataBytes;
    this.#timeoutMs = limits.timeoutMs;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** The reason to refuse, or undefined; then `leave` must follow. */
  enter(incoming: IncomingCall): RpcError | undefined {
    if (this.#inFlight >= this.#maxConcurrentCalls) {
      return new RpcError(
        Status.RESOURCE_EXHAUSTED,
        `the server has ${this.#inFlight} calls in flight, its limit`,
      );
    }
    const bytes = incoming.metadataBytes;
    if (bytes > this.#maxMetadataBytes) {
      return new RpcError(
        Status.RESOURCE_EXHAUSTED,
        `metadata of ${bytes} bytes, at most ${this.#maxMetadataBytes} are taken`,
      );
    }
    if (incoming.deadline !== undefined && incoming.deadline <= performance.now()) {
      return deadlineExceeded('the deadline had passed when the call arrived', false);
    }
    this.#inFlight++;
    return undefined;
  }

  leave(): void {
    this.#inFlight--;
  }

  deadlineOf(incoming: IncomingCall): number | undefined {
    if (incoming.deadline !== undefined || this.#timeoutMs === Number.POSITIVE_INFINITY)
      return incoming.deadline;
    return performance.now() + this.#timeoutMs;
  }
}
