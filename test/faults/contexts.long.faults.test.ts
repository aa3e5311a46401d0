import { it } from 'node:test';
import { assertHeapStays } from './contexts.js';

it('a million calls with contexts of their own leave the heap as it was', (t) =>
  assertHeapStays(t, 1_000_000));
