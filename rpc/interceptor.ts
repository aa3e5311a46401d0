import type { Call, Reply } from './call.js';

/** Goes on to the next interceptor, and at last to the wire (client) or the handler (server). */
export type Next = (call: Call) => Promise<Reply>;

/**
 * Stands around calls: one type for both sides and all four kinds. The first in a list is the outermost.
 *
 *     const timing: Interceptor = async (call, next) => {
 *       const start = performance.now();
 *       const reply = await next(call);
 *       console.log(call.method.path, performance.now() - start);
 *       return reply;
 *     };
 *
 * The call's deadline and signal end what `next` does; an interceptor that waits by itself bounds its own waiting.
 * A failed call rejects with an RpcError; the failure of a stream comes while it is iterated (see `whenDone`).
 * Passing on a call of its own: `next({ ...call, message: changed })`. Metadata, deadline and signal may be changed in
 * the same way, and a server's handler sees them; its `context` is passed on as it is.
 */
export type Interceptor = (call: Call, next: Next) => Promise<Reply>;

/** The chain as one function. */
export const compose = (interceptors: readonly Interceptor[], last: Next): Next =>
  interceptors.reduceRight<Next>((next, interceptor) => (call) => interceptor(call, next), last);
