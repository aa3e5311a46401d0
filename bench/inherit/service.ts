import type { Build } from '../build.js';

export const inherit = ({ defineService, unary }: Pick<Build, 'defineService' | 'unary'>) =>
  defineService('bench.Inherit', { call: unary<object, object>() });
