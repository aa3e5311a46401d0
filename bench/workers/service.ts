import { defineService, unary } from 'lictor';

export const Work = defineService('bench.Work', { work: unary<{ us: number }, object>() });
