/** A node that lacks a method is asked again after that long: by then it may have been updated. */
const MISSING_MS = 1_000;

/**
 * Which nodes of a service have said that they lack a method, so that its calls go elsewhere. It holds no more than the
 * methods that this client calls, of nodes that are listed.
 */
export class MissingMethods<Node> {
  readonly #byPath = new Map<string, Map<Node, number>>();
  /** From then on, nothing is known to be missing anywhere. */
  until = 0;

  add(node: Node, path: string, now: number): void {
    this.until = now + MISSING_MS;
    const nodes = this.#byPath.get(path);
    if (nodes) nodes.set(node, this.until);
    else this.#byPath.set(path, new Map([[node, this.until]]));
  }

  has(node: Node, path: string, now: number): boolean {
    return now < (this.#byPath.get(path)?.get(node) ?? 0);
  }

  /** It may be another by now, or is not listed any more. */
  forget(node: Node): void {
    for (const nodes of this.#byPath.values()) nodes.delete(node);
  }
}
