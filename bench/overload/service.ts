import { defineService, unary } from 'lictor';

export const Work = defineService('overload.Work', {
  work: unary<Record<string, never>, Record<string, never>>(),
});

/** What limits the server: its own thread in one go, its thread between waits, or something behind it that has ten places; or nothing. */
export type Kind = 'cpu' | 'cpu and waits' | 'pool' | 'nothing';
