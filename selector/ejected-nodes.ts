import type { Logger } from '../rpc/log.js';
import type { Method } from '../rpc/service.js';
import { type Ejection, ejectionMs } from './ejection.js';
import type { Judge, ListedNode } from './listed-node.js';
import type { Outcome } from './outcome.js';

export type EjectedNodesOptions = {
  readonly service: string;
  /** Undefined when nodes are never ejected. */
  readonly rules: () => Ejection | undefined;
  readonly logger: Logger;
  /** How many nodes can be reached. */
  readonly reachable: () => number;
  /** Told when a node has gone out or come back in. */
  readonly onChange: (node: ListedNode) => void;
  /** Told when a node lacks a method, and is not taken for another service. */
  readonly onMissing: (node: ListedNode, method: Method, now: number) => void;
  readonly random: () => number;
};

type Out = { until: number; times: number; trialAt: number };

/** A trial that has not ended by then is given up for another one. */
const TRIAL_MS = 10_000;

/** An ejection so long after the return from the one before is a first one again. */
const FORGET_MS = 60_000;

/**
 * The nodes of one service that take no calls because those before failed. Never more than half of those that can be
 * reached, so that never the only one. When its time is over, a node gets one call on trial, and comes back if that
 * succeeds. There is no timer: who picks asks whether a trial is due, which is one comparison.
 */
export class EjectedNodes implements Judge {
  readonly #options: EjectedNodesOptions;
  readonly #out = new Map<ListedNode, Out>();
  readonly #returned = new WeakMap<ListedNode, { readonly times: number; readonly at: number }>();
  /** When the next trial is due, at the earliest. */
  due = Number.POSITIVE_INFINITY;

  constructor(options: EjectedNodesOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#out.size;
  }

  /** When the node's next trial is due, for people; undefined for one that is not out. */
  until(node: ListedNode): number | undefined {
    return this.#out.get(node)?.until;
  }

  /** Takes account of the end of a call that began at `began`. */
  judge(node: ListedNode, outcome: Outcome, began: number, now: number): void {
    const rules = this.#options.rules();
    if (!rules) return;
    if (node.standing !== 'in') return this.#judgeTrial(node, rules, outcome, began, now);
    if (outcome === 'success') node.failures.succeeded(rules, now);
    else if (outcome === 'failure' && node.failures.failed(rules, now)) this.#eject(node, rules, now);
  }

  missed(node: ListedNode, method: Method | undefined, began: number, now: number): void {
    const rules = this.#options.rules();
    const verdict = rules && node.answering === 0 ? node.failures.missed(rules, now) : 'older';
    if (rules && node.standing !== 'in') {
      this.#judgeTrial(node, rules, method === undefined ? 'failure' : 'missing', began, now);
    } else if (rules && verdict === 'another') {
      this.#eject(node, rules, now);
    }
    // One that may be another service is asked until that is clear.
    if (verdict !== 'doubtful' && method) this.#options.onMissing(node, method, now);
  }

  /** A node whose trial is due and that is `fit` for the call, which then is that trial. */
  trial(now: number, fit: (node: ListedNode) => boolean): ListedNode | undefined {
    for (const [node, out] of this.#out) {
      if (out.until > now || !fit(node)) continue;
      node.standing = 'trial';
      out.trialAt = now;
      out.until = now + TRIAL_MS;
      this.#schedule();
      return node;
    }
    // Nothing was due, or what was due does not fit this call; then it is looked for again a little later.
    this.#schedule();
    if (this.due <= now) this.due = now + 10;
    return undefined;
  }

  /** Its trial need not be waited for, since its connection stands anew. */
  tryNow(node: ListedNode, now: number): void {
    const out = this.#out.get(node);
    if (!out || node.standing !== 'out') return;
    out.until = now;
    this.#schedule();
  }

  /** It is not listed any more. */
  forget(node: ListedNode): void {
    if (this.#out.delete(node)) this.#schedule();
  }

  /** All of them are back. */
  clear(): void {
    for (const node of [...this.#out.keys()]) {
      this.#out.delete(node);
      node.standing = 'in';
      this.#options.onChange(node);
    }
    this.#schedule();
  }

  #eject(node: ListedNode, rules: Ejection, now: number): void {
    // Of one that cannot be reached its connection says when it is back.
    if (!node.reachable || this.#out.size >= Math.floor(this.#options.reachable() / 2)) return;
    const before = this.#returned.get(node);
    const times = before && now - before.at < FORGET_MS ? before.times + 1 : 1;
    this.#putOut(node, rules, times, now);
    node.failures.clear();
    const { logger, service } = this.#options;
    logger.warn('a node fails and is left out for a while', {
      service,
      address: node.load.address,
      forMs: Math.round(this.#out.get(node)!.until - now),
    });
    this.#options.onChange(node);
  }

  #putOut(node: ListedNode, rules: Ejection, times: number, now: number): void {
    const until = now + ejectionMs(rules, times, this.#options.random());
    node.standing = 'out';
    this.#out.set(node, { until, times, trialAt: Number.POSITIVE_INFINITY });
    this.#schedule();
  }

  #judgeTrial(node: ListedNode, rules: Ejection, outcome: Outcome, began: number, now: number): void {
    const out = this.#out.get(node);
    // Calls from before the ejection, which end only now.
    if (!out || began < out.trialAt) return;
    if (outcome === 'success') {
      this.#out.delete(node);
      node.standing = 'in';
      node.failures.succeeded(rules, now);
      this.#returned.set(node, { times: out.times, at: now });
      this.#schedule();
      const { logger, service } = this.#options;
      logger.warn('a node that failed is well again', { service, address: node.load.address });
      this.#options.onChange(node);
    } else if (outcome === 'failure') {
      this.#putOut(node, rules, out.times + 1, now);
    } else if (outcome === 'missing') {
      // That says nothing of its other methods, one of which may be the next to be tried.
      this.#putOut(node, rules, out.times, now);
    } else {
      node.standing = 'out';
      out.trialAt = Number.POSITIVE_INFINITY;
      out.until = now;
      this.#schedule();
    }
  }

  #schedule(): void {
    this.due = Number.POSITIVE_INFINITY;
    for (const { until } of this.#out.values()) if (until < this.due) this.due = until;
  }
}
