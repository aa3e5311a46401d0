import { AsyncLocalStorage } from 'node:async_hooks';
import type { Span, Tracer } from 'opentracing';

const storages = new WeakMap<Tracer, AsyncLocalStorage<Span>>();

/** Where a tracer's active span is kept: one place for each tracer, since a span is no parent under another one. */
export function activeSpans(tracer: Tracer): AsyncLocalStorage<Span> {
  const storage = storages.get(tracer) ?? new AsyncLocalStorage();
  storages.set(tracer, storage);
  return storage;
}
