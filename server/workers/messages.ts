import type { Status } from '../../rpc/status.js';

/** What a worker tells the first process. */
export type Report =
  | { readonly kind: 'serving'; readonly address: string }
  | { readonly kind: 'failed'; readonly code: Status; readonly message: string };

/** What the first process tells a worker: the method of its server to be called, after which it ends. */
export type Order = 'close' | 'closeNow';

/** The channel is the program's, too: what is ours has this key. */
export type FromWorker = { readonly lictor: Report };
export type ToWorker = { readonly lictor: Order };

/** What of a message is for us. */
export function oursOf<T extends FromWorker | ToWorker>(message: unknown): T['lictor'] | undefined {
  return (message as T | null)?.lictor;
}
