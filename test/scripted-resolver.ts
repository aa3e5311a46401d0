import { createNode, type NodeInit, type Resolution, type Resolver, RpcError, Status } from 'lictor';
import { deferred } from './deferred.js';

/** A resolver that says what the test tells it, when it tells it. */
export interface ScriptedResolver extends Resolver {
  /** The services of the watches, in the order in which they were started. */
  readonly watches: readonly string[];
  /** Watches that have ended or been aborted. */
  readonly ended: readonly string[];
  nodes(...nodes: readonly (string | NodeInit)[]): void;
  failure(text: string): void;
  /** Ends the running watch as a resolver must not. */
  end(error?: Error): void;
  /** Resolves when a watch has been started that often. */
  started(count: number): Promise<void>;
}

export function scriptedResolver(): ScriptedResolver {
  const watches: string[] = [];
  const ended: string[] = [];
  const waiting: { count: number; resolve: () => void }[] = [];
  let script: (Resolution | { kind: 'end'; error: Error | undefined })[] = [];
  let wake = () => {};
  const push = (step: (typeof script)[number]) => {
    script.push(step);
    wake();
  };
  return {
    watches,
    ended,
    describe: (service) => `scripted, under "${service}/"`,
    nodes: (...nodes) =>
      push({
        kind: 'nodes',
        nodes: nodes.map((node) => createNode(typeof node === 'string' ? { address: node } : node)),
      }),
    failure: (text) => push({ kind: 'failure', error: new RpcError(Status.UNAVAILABLE, text) }),
    end: (error) => push({ kind: 'end', error }),
    async started(count) {
      if (watches.length >= count) return;
      const { promise, resolve } = deferred();
      waiting.push({ count, resolve });
      await promise;
    },
    async *watch(service, signal) {
      watches.push(service);
      for (const { count, resolve } of waiting) if (watches.length >= count) resolve();
      let read = 0;
      try {
        while (!signal.aborted) {
          const step = script[read];
          if (!step) {
            const { promise, resolve } = deferred();
            wake = resolve;
            signal.addEventListener('abort', () => resolve(), { once: true });
            await promise;
            continue;
          }
          read++;
          if (step.kind === 'end') {
            script = [];
            if (step.error) throw step.error;
            return;
          }
          yield step;
        }
      } finally {
        ended.push(service);
      }
    },
  };
}
