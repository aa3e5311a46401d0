/** Where messages go. `write` returns a promise when the writer has to wait for the reader. */
export interface Sink {
  write(message: unknown): Promise<void> | undefined;
  end(): void;
  fail(error: unknown): void;
}

/**
 * Moves messages at the sink's pace until the source ends or fails. Returns how to stop early: the source is told
 * by `return()`, and nothing more reaches the sink.
 */
export function pump(source: AsyncIterable<unknown>, sink: Sink): () => void {
  let stopped = false;
  let iterator: AsyncIterator<unknown> | undefined;
  const run = async () => {
    try {
      iterator = source[Symbol.asyncIterator]();
      while (!stopped) {
        const next = await iterator.next();
        if (stopped) return;
        if (next.done) {
          stopped = true;
          return sink.end();
        }
        const room = sink.write(next.value);
        if (room) await room;
      }
    } catch (error) {
      if (stopped) return;
      stop();
      sink.fail(error);
    }
  };
  const stop = () => {
    if (stopped) return;
    stopped = true;
    // Not awaited: a generator that waits inside an await answers only when that ends. Its failure concerns nobody now.
    (async () => iterator?.return?.())().catch(() => {});
  };
  void run();
  return stop;
}
