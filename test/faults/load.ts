import type { Engine, RpcError } from 'lictor';
import type { UnaryCall } from '../../transport/transport.js';

/** One call as the client sent it to a node; a call that is sent again is several. */
export type Attempt = {
  readonly address: string;
  readonly sentAt: number;
  error: RpcError | undefined;
  done: boolean;
};

/** What a client sent where. */
export type Attempts = {
  readonly all: Attempt[];
  inFlight(address: string): number;
  picked(address: string): number;
};

/** An engine that writes down every unary call. */
export function watched(engine: Engine): { engine: Engine; attempts: Attempts; connects: string[] } {
  const all: Attempt[] = [];
  const connects: string[] = [];
  const of = (address: string) => all.filter((attempt) => attempt.address === address);
  return {
    connects,
    attempts: {
      all,
      inFlight: (address) => of(address).filter(({ done }) => !done).length,
      picked: (address) => of(address).length,
    },
    engine: {
      ...engine,
      connect(options) {
        connects.push(options.address);
        const connection = engine.connect(options);
        return {
          unary(call: UnaryCall) {
            const attempt: Attempt = {
              address: options.address,
              sentAt: performance.now(),
              error: undefined,
              done: false,
            };
            all.push(attempt);
            const { wire, metadata, deadline, request, wantsMetadata } = call;
            return connection.unary({
              ...{ wire, metadata, deadline, request, wantsMetadata },
              done(error, ...rest) {
                attempt.error = error;
                attempt.done = true;
                call.done(error, ...rest);
              },
            });
          },
          stream: (call, requests) => connection.stream(call, requests),
          close: (graceMs) => connection.close(graceMs),
        };
      },
    },
  };
}

export type Load = { readonly sent: number; readonly failures: readonly unknown[]; stop(): Promise<void> };

/** An open loop: a call every so often, whatever becomes of those before. */
export function openLoop(callsPerSecond: number, call: (n: number) => Promise<unknown>): Load {
  const failures: unknown[] = [];
  const pending = new Set<Promise<void>>();
  const start = performance.now();
  let sent = 0;
  const timer = setInterval(() => {
    for (const due = ((performance.now() - start) / 1_000) * callsPerSecond; sent < due; sent++) {
      const one = call(sent).then(
        () => {},
        (error) => void failures.push(error),
      );
      pending.add(one);
      void one.finally(() => pending.delete(one));
    }
  }, 2);
  return {
    get sent() {
      return sent;
    },
    failures,
    async stop() {
      clearInterval(timer);
      await Promise.all(pending);
    },
  };
}
