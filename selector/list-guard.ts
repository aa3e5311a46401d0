import type { Node } from './node.js';

/**
 * What to make of a list that is empty, or that more than half of the nodes have left within ten seconds. It may be
 * true, but mostly a registry has lost its data, or all sessions with it, and the servers are well.
 *
 * `grace`: lost nodes that are connected are used for `emptyListGraceMs` more; `keep`: lost nodes that are not known to
 * be down are used without limit; both until their connection is refused. `obey`: what the registry says counts at once.
 */
export type EmptyListPolicy = 'grace' | 'keep' | 'obey';

export const emptyListPolicies: readonly EmptyListPolicy[] = ['grace', 'keep', 'obey'];

export type ListGuardOptions = {
  readonly policy: EmptyListPolicy;
  readonly graceMs: number;
  /** What the connections say of a node that the list has lost. */
  readonly link: (address: string) => Link;
};

export type Link = 'none' | 'up' | 'down';

/** Losses that are no further apart count as one. */
const WINDOW_MS = 10_000;

/**
 * Stands between a registry's lists and the nodes that are used. New nodes count at once, and so does the loss of a
 * few, of nodes of weight 0, which were drained before, and of nodes that the registry says are not to be called; the
 * others that leave in a mass loss stay as suspects.
 */
export class ListGuard {
  readonly #options: ListGuardOptions;
  #listed = new Map<string, Node>();
  /** By address, with the time at which they leave at the latest. */
  readonly #suspects = new Map<string, { readonly node: Node; readonly until: number }>();
  /** When nodes that were not drained have left, as far as it was a short while ago. */
  readonly #left = new Map<string, number>();

  constructor(options: ListGuardOptions) {
    this.#options = options;
  }

  /** The list, and then the suspects. */
  get nodes(): readonly Node[] {
    return [...this.#listed.values(), ...[...this.#suspects.values()].map(({ node }) => node)];
  }

  get suspects(): number {
    return this.#suspects.size;
  }

  /** When the next suspect has to leave. */
  get due(): number {
    return Math.min(...[...this.#suspects.values()].map(({ until }) => until));
  }

  /**
   * @param nodes the complete new list; of two with one address the first counts
   * @param drained addresses that the registry knows, and says are not to be called
   */
  take(nodes: readonly Node[], now: number, drained: readonly string[] = []): void {
    const before = this.#listed;
    this.#listed = new Map();
    for (const node of nodes) if (!this.#listed.has(node.address)) this.#listed.set(node.address, node);
    for (const [address, at] of this.#left) if (now - at > WINDOW_MS) this.#left.delete(address);
    for (const address of [...this.#listed.keys(), ...drained]) {
      this.#left.delete(address);
      this.#suspects.delete(address);
    }
    const said = new Set(drained);
    const lost = [...before.values()].filter(
      ({ address, weight }) => weight > 0 && !this.#listed.has(address) && !said.has(address),
    );
    for (const { address } of lost) this.#left.set(address, now);
    if (this.#left.size <= this.#listed.size) return;
    const { policy, graceMs, link } = this.#options;
    if (policy === 'obey') return;
    for (const node of lost) {
      const state = link(node.address);
      if (policy === 'grace' && state === 'up')
        this.#suspects.set(node.address, { node, until: now + graceMs });
      if (policy === 'keep' && state !== 'down') this.#suspects.set(node.address, { node, until: Infinity });
    }
  }

  /** After a connection's failure. Whether the node was a suspect. */
  refused(address: string): boolean {
    return this.#suspects.delete(address);
  }

  /** Lets those go whose time is over. Whether there were any. */
  expire(now: number): boolean {
    const before = this.#suspects.size;
    for (const [address, { until }] of this.#suspects) if (until <= now) this.#suspects.delete(address);
    return this.#suspects.size < before;
  }
}
