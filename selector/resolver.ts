import type { RpcError } from '../rpc/error.js';
import type { Node } from './node.js';

/** What a resolver knows of a service at one moment. */
export type Resolution =
  /** The complete set, not a difference; it may be empty. */
  | {
      readonly kind: 'nodes';
      readonly nodes: readonly Node[];
      /**
       * Addresses that are not among them because the registry says that they must not be called, as servers that fail
       * their checks. Such a node is drained at once; one that is in neither list may be lost by the registry.
       * @default none
       */
      readonly drained?: readonly string[];
    }
  /** The registry could not be asked; the set before is stale but still usable. */
  | { readonly kind: 'failure'; readonly error: RpcError };

/** Turns a service name into nodes. */
export interface Resolver {
  /**
   * Yields what is known at once, then every change of content, until `signal` aborts; then it ends without an error.
   * Failures are yielded, not thrown, and the watch goes on by itself; what is known after a failure is yielded also
   * when it is what was known before. A slow reader skips states, it gets no queue.
   */
  watch(service: string, signal: AbortSignal): AsyncIterable<Resolution>;
  /** Where it looks, for error messages: `consul at 127.0.0.1:8500, keys under "helloworld.Greeter/"`. */
  describe(service: string): string;
}
