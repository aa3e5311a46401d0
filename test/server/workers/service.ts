import { defineService, unary } from 'lictor';

export type Who = { pid: number; first: number; worker: number | null };

export const Workers = defineService('workers.Workers', {
  who: unary<object, Who>({ idempotent: true }),
  /** Answers after so many ms. */
  hold: unary<{ ms: number }, Who>(),
});
