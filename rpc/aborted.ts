/** Something that ends when a signal aborts. */
export interface Abortable {
  onAborted(signal: AbortSignal): void;
}

/**
 * Who is told of each signal. One signal may end thousands of calls, and Node warns of a leak when more than ten
 * listen to it: so they share one listener, and the user's own limit stays as it is.
 */
const told = new WeakMap<AbortSignal, Set<Abortable>>();

export function tellWhenAborted(signal: AbortSignal, one: Abortable): void {
  const known = told.get(signal);
  if (known) {
    known.add(one);
    return;
  }
  told.set(signal, new Set([one]));
  signal.addEventListener('abort', tell);
}

export function forgetAborted(signal: AbortSignal, one: Abortable): void {
  const known = told.get(signal);
  if (!known?.delete(one) || known.size > 0) return;
  told.delete(signal);
  signal.removeEventListener('abort', tell);
}

function tell(event: Event): void {
  const signal = event.target as AbortSignal;
  const known = told.get(signal);
  told.delete(signal);
  signal.removeEventListener('abort', tell);
  for (const one of known ?? []) one.onAborted(signal);
}
