/** Where messages go. `write` returns a promise when the writer has to wait for the reader. */
export interface Sink {
  write(message: unknown): Promise<void> | undefined;
  end(): void;
  fail(error: unknown): void;
}

/**
 * Moves messages at the sink's pace until the source ends or fails. Returns how to stop early: nothing more reaches
 * the sink, and the source is told by `return()`; the promise resolves when it has answered.
 */
export function pump(source: AsyncIterable<unknown>, sink: Sink): () => Promise<void> {
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
      void stop();
      sink.fail(error);
    }
  };
  const stop = async () => {
    if (stopped) return;
    stopped = true;
    try {
      // A generator that waits inside an await answers only when that ends.
      await iterator?.return?.();
    } catch {
      // Its failure concerns nobody now.
    }
  };
  void run();
  return stop;
}
