import { defineService, unary } from 'lictor';

export const Work = defineService('overload.Work', {
  work: unary<Record<string, never>, Record<string, never>>(),
});

/** What limits the server: its own thread in one go, at once or after an await that is over at once, its thread between waits, or something behind it that has ten places; or nothing. */
export type Kind = 'cpu' | 'cpu after an await' | 'cpu and waits' | 'pool' | 'nothing';
