import { defineService, unary } from 'lictor';

type N = { n: number };
export const Faults = defineService('faults.Faults', { work: unary<N, N>() });
