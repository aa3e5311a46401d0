import { AsyncLocalStorage } from 'node:async_hooks';
import type { Span, Tracer } from 'opentracing';

const storages = new WeakMap<Tracer, AsyncLocalStorage<Span>>();

/** Where a tracer's active span is kept: one place for each tracer, since a span is no parent under another one. */
export function activeSpans(tracer: Tracer): AsyncLocalStorage<Span> {
  const storage = storages.get(tracer) ?? new AsyncLocalStorage();
  storages.set(tracer, storage);
  return storage;
}

/** Runs each step of an iteration by `within`, since a generator's body runs in the context of who asks for the next. */
export async function* eachStepIn(
  within: <T>(run: () => T) => T,
  messages: AsyncIterable<unknown>,
): AsyncGenerator<unknown, void> {
  const iterator = within(() => messages[Symbol.asyncIterator]());
  let isOver = false;
  try {
    for (;;) {
      isOver = true;
      const step = await within(() => iterator.next());
      if (step.done) return;
      isOver = false;
      yield step.value;
    }
  } finally {
    if (!isOver) await within(() => iterator.return?.());
  }
}
