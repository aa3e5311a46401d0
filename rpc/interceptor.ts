import { currentContext, isStream, StreamInContext } from './async-context.js';
import { type Call, type Reply, streamsReplies } from './call.js';

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
 * What an interceptor calls `next` in (an AsyncLocalStorage's `run`, say) is the async context of all behind it: of the
 * next interceptors, the handler, and each step of the replies that they make.
 * Passing on a call of its own: `next({ ...call, message: changed })`. Metadata, deadline and signal may be changed in
 * the same way, and a server's handler sees them; its `context` is passed on as it is.
 */
export type Interceptor = (call: Call, next: Next) => Promise<Reply>;

/** The chain as one function. */
export const compose = (interceptors: readonly Interceptor[], last: Next): Next =>
  interceptors.reduceRight<Next>(
    (next, interceptor) => (call) =>
      streamsReplies(call.method) ? repliesInContext(interceptor, call, next) : interceptor(call, next),
    last,
  );

/** A generator's body runs with the steps that its reader asks for, which would be in the reader's context. */
async function repliesInContext(interceptor: Interceptor, call: Call, next: Next): Promise<Reply> {
  const context = currentContext();
  const reply = await interceptor(call, next);
  const message = reply?.message;
  // What an interceptor passes on as it came runs in its context already.
  if (!isStream(message) || message instanceof StreamInContext) return reply;
  return { ...reply, message: new StreamInContext(message, context) };
}
