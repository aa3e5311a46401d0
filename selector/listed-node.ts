import type { RpcError } from '../rpc/error.js';
import { isMissingMethod } from '../rpc/not-executed.js';
import type { Method } from '../rpc/service.js';
import { FailureRecord } from './ejection.js';
import type { LiveNode } from './live-node.js';
import type { NodeLoad } from './load.js';
import { LATENCY_DECAY_MS } from './load-metric.js';
import type { Node } from './node.js';
import { type Outcome, outcomeOf } from './outcome.js';
import type { ServiceLoad } from './service-load.js';

/** Told how calls to nodes end, to decide which nodes take calls. */
export interface Judge {
  judge(node: ListedNode, outcome: Outcome, began: number, now: number): void;
  /** A call's method is missing there. @param method if the node itself has marked the call as not run */
  missed(node: ListedNode, method: Method | undefined, began: number, now: number): void;
}

/** A node of a service's list with its load: what a balancer sees, and what a call is counted on. */
export class ListedNode implements LiveNode {
  node: Node;
  readonly load: NodeLoad;
  latencyMs = 0;
  latencyAt = 0;
  /** Streams that are open and have had a reply: whatever else it says, it has this service. */
  answering = 0;
  /** What the service's EjectedNodes know of it. `out` takes no calls; `trial` takes one, which decides. */
  standing: 'in' | 'out' | 'trial' = 'in';
  readonly failures = new FailureRecord();
  /** When it began to take calls (again), if others were there before; see slow-start.ts. */
  freshSince: number | undefined;
  readonly #service: ServiceLoad;
  readonly #judge: Judge;

  constructor(node: Node, load: NodeLoad, service: ServiceLoad, judge: Judge) {
    this.node = node;
    this.load = load;
    this.#service = service;
    this.#judge = judge;
  }

  get inFlight(): number {
    return this.load.inFlight;
  }

  get reachable(): boolean {
    return this.load.reachable;
  }

  /** A call goes to it. */
  began(): void {
    this.load.inFlight++;
    this.#service.inFlight++;
  }

  /** The unary call of the method that began at `began` has ended. */
  ended(error: RpcError | undefined, began: number, now: number, method?: Method): void {
    const outcome = outcomeOf(error);
    this.#measure(outcome, error?.maybeExecuted ?? true, now - began, now);
    this.#left(error, outcome, began, now, method);
  }

  /** As `ended`, of a stream: how long it took is a matter of both sides. */
  left(error: RpcError | undefined, began: number, now: number, method?: Method): void {
    this.#left(error, outcomeOf(error), began, now, method);
  }

  #left(
    error: RpcError | undefined,
    outcome: Outcome,
    began: number,
    now: number,
    method: Method | undefined,
  ): void {
    this.load.inFlight--;
    this.#service.inFlight--;
    this.#service.count(error, now);
    if (outcome !== 'missing') return this.#judge.judge(this, outcome, began, now);
    this.#judge.missed(this, isMissingMethod(error!) ? method : undefined, began, now);
  }

  /** The call that began at `began` has had its first reply, and may go on for long. */
  answered(began: number, now: number): void {
    this.#measure('success', true, now - began, now);
    this.#judge.judge(this, 'success', began, now);
  }

  /** What it was like before it failed says nothing of what it is like now, and would keep calls away for long. */
  forgetLatency(): void {
    this.latencyMs = 0;
  }

  /**
   * Peaks count at once and fade. A node that fails fast must not look like a fast one; one whose call was given up has
   * taken at least that long.
   */
  #measure(outcome: Outcome, hadCall: boolean, tookMs: number, now: number): void {
    if (!hadCall) return;
    const fading = Math.exp((this.latencyAt - now) / LATENCY_DECAY_MS);
    const faded = this.latencyMs * fading;
    if (tookMs < faded) {
      if (outcome !== 'success') return;
      this.latencyMs = faded + tookMs * (1 - fading);
    } else {
      this.latencyMs = tookMs;
    }
    this.latencyAt = now;
  }
}
