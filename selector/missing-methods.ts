import { streamsRequests } from '../rpc/call.js';
import type { Method } from '../rpc/service.js';

/** A node that lacks a method is asked again after that long: by then it may have been updated. */
const MISSING_MS = 1_000;
/** Later with a call that cannot be sent again, unless its connection is made anew before. */
const STREAM_MISSING_MS = 60_000;

/**
 * Which nodes of a service have said that they lack a method, so that its calls go elsewhere. It holds no more than the
 * methods that this client calls, of nodes that are listed.
 */
export class MissingMethods<Node> {
  readonly #byPath = new Map<string, Map<Node, number>>();
  /** From then on, nothing is known to be missing anywhere. */
  until = 0;

  add(node: Node, method: Method, now: number): void {
    const until = now + (streamsRequests(method) ? STREAM_MISSING_MS : MISSING_MS);
    this.until = Math.max(this.until, until);
    const nodes = this.#byPath.get(method.path);
    if (nodes) nodes.set(node, until);
    else this.#byPath.set(method.path, new Map([[node, until]]));
  }

  has(node: Node, path: string, now: number): boolean {
    return now < (this.#byPath.get(path)?.get(node) ?? 0);
  }

  /** It may be another by now, or is not listed any more. */
  forget(node: Node): void {
    for (const nodes of this.#byPath.values()) nodes.delete(node);
  }
}
