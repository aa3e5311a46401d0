import assert from 'node:assert/strict';
import type { RpcError } from '../../rpc/error.js';
import type { Node } from '../../selector/node.js';
import type { Resolution, Resolver } from '../../selector/resolver.js';

/** A watch that a test reads step by step. Nothing bounds a wait but the test's own time limit. */
export interface Reader extends AsyncDisposable {
  /** The next thing that the watch yields. */
  next(): Promise<Resolution>;
  /** Reads on, over failures and other sets, to a set with these addresses. */
  untilAddresses(...addresses: string[]): Promise<readonly Node[]>;
  untilNodes(fits: (nodes: readonly Node[]) => boolean): Promise<readonly Node[]>;
  untilFailure(): Promise<RpcError>;
  /** Aborts the watch; resolves when it has ended. */
  stop(): Promise<void>;
}

export function read(resolver: Resolver, service: string): Reader {
  const controller = new AbortController();
  const iterator = resolver.watch(service, controller.signal)[Symbol.asyncIterator]();
  const next = async () => {
    const { value, done } = await iterator.next();
    assert.ok(!done, 'the watch has ended');
    return value as Resolution;
  };
  const untilNodes = async (fits: (nodes: readonly Node[]) => boolean) => {
    for (;;) {
      const resolution = await next();
      if (resolution.kind === 'nodes' && fits(resolution.nodes)) return resolution.nodes;
    }
  };
  const stop = async () => {
    controller.abort();
    assert.equal((await iterator.next()).done, true, 'an aborted watch ends');
  };
  return {
    next,
    untilNodes,
    untilAddresses: (...addresses) =>
      untilNodes((nodes) => nodes.map((node) => node.address).join() === addresses.sort().join()),
    async untilFailure() {
      for (;;) {
        const resolution = await next();
        if (resolution.kind === 'failure') return resolution.error;
      }
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}
