import { defineService, unary } from 'lictor';

export const Signalled = defineService('signals.Signalled', { hold: unary<object, { held: boolean }>() });
