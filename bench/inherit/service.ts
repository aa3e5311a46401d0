import { defineService, unary } from 'lictor';

export const Inherit = defineService('bench.Inherit', { call: unary<object, object>() });
