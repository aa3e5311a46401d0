import { globalTracer, type Span, type Tracer } from 'opentracing';
import { type Call, whenDone } from '../../rpc/call.js';
import { RpcError } from '../../rpc/error.js';
import type { Interceptor } from '../../rpc/interceptor.js';
import type { Logger } from '../../rpc/log.js';
import { Status } from '../../rpc/status.js';
import type { TracingPlugin } from '../plugin.js';
import { activeSpans } from './active.js';
import { extract, inject } from './carrier.js';
import { type Guard, guarded } from './guard.js';
import { failureLog, resultTags, startTags } from './tags.js';

export type OpenTracingOptions = {
  /** @default opentracing's `globalTracer()`, which does nothing until `initGlobalTracer` has been called */
  tracer?: Tracer | undefined;
  /** The parent of a client's span where no call is being handled, for those who keep a context of their own. */
  activeSpan?: () => Span | null | undefined;
  /** Whether a call gets a span. @default all but those of the health service, which registries and balancers poll */
  traced?: ((call: Call) => boolean) | undefined;
};

export interface OpenTracing extends TracingPlugin {
  /** The span of the call being handled, or the one of `withSpan`; to add tags and logs to it. */
  activeSpan(): Span | undefined;
  /** Runs `run`, and what it starts, with `span` as the parent of the calls made. */
  withSpan<T>(span: Span, run: () => T): T;
}

const HEALTH = 'grpc.health.v1.Health';

/**
 * A span for each call, on both sides and for all four kinds; one value may serve servers and clients.
 *
 *     const tracing = opentracing({ tracer });
 *     const server = new Server({ plugins: [tracing] });
 *     const client = new Client({ target, plugins: [tracing] });
 *
 * A client's span is the child of the span of the call being handled, with nothing passed by hand; the server's is the
 * child of the client's, whose context travels in the metadata (as HTTP_HEADERS). A span ends when its call has: a
 * stream's with the stream, a handler's that goes on after a cancellation with the cancellation. Whatever is not OK is
 * tagged as an error, a stream that was left early as CANCELLED. Active spans are kept per tracer, so that several
 * plugins of one tracer see each other's.
 *
 * A tracer that throws fails no call; the first failure of each of its operations is logged.
 */
export function opentracing(options: OpenTracingOptions = {}): OpenTracing {
  const { tracer = globalTracer(), activeSpan, traced = ({ service }) => service !== HEALTH } = options;
  if (typeof tracer?.startSpan !== 'function')
    throw new RpcError(Status.INVALID_ARGUMENT, `tracer: an OpenTracing Tracer is wanted, got ${tracer}`);
  const active = activeSpans(tracer);
  let guard: Guard | undefined;

  function start(call: Call, guard: Guard): Span | undefined {
    const parent =
      call.side === 'server'
        ? guard('extract a span context', () => extract(tracer, call.metadata))
        : guard('find the active span', () => (active.getStore() ?? activeSpan?.())?.context());
    const tags = startTags(call);
    const fields = { ...(parent && { childOf: parent }), tags: { ...tags } };
    const span = guard('start a span', () => tracer.startSpan(call.method.path, fields));
    // Again, since not every tracer (MockTracer) takes those of the start, by which others (Zipkin's) decide.
    if (span) guard('tag a span', () => span.addTags(tags));
    return span;
  }

  function ender(span: Span, guard: Guard): (reason?: unknown) => void {
    let ended = false;
    return (reason) => {
      if (ended) return;
      ended = true;
      const error = reason === undefined ? undefined : RpcError.from(reason);
      guard('tag a span', () => span.addTags(resultTags(error)));
      if (error) guard('log to a span', () => span.log(failureLog(error)));
      guard('finish a span', () => span.finish());
    };
  }

  const interceptor: Interceptor = async (call, next) => {
    if (!guard || guard('decide whether to trace', () => traced(call)) === false) return next(call);
    const span = start(call, guard);
    if (!span) return next(call);
    const end = ender(span, guard);
    try {
      if (call.side === 'client') {
        guard('inject a span context', () => inject(tracer, span, call.metadata));
        return whenDone(call, await next(call), end);
      }
      onAbort(call.signal, end);
      const reply = await active.run(span, () => next(call));
      return whenDone(call, reply, end);
    } catch (error) {
      end(error ?? new Error('nothing was thrown'));
      throw error;
    }
  };

  return {
    kind: 'tracing',
    name: 'opentracing',
    interceptor,
    init({ logger }: { readonly logger: Logger }) {
      guard ??= guarded(logger);
      return tracer;
    },
    activeSpan: () => active.getStore(),
    withSpan: (span, run) => active.run(span, run),
  };
}

/** A cancelled call is over for its client although its handler may go on, or never settle. */
function onAbort(signal: AbortSignal, end: (reason: unknown) => void): void {
  if (signal.aborted) end(signal.reason);
  else signal.addEventListener('abort', () => end(signal.reason), { once: true });
}
