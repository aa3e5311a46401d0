import assert from 'node:assert/strict';
import { it } from 'node:test';
import { memory } from 'lictor';
import { assertHeapStays, callWithStores } from './contexts.js';

for (const [name, transport] of Object.entries({
  h2: 'h2',
  'grpc-js': 'grpc-js',
  memory: memory(),
} as const)) {
  it(`no context outlives its call: ${name}`, async () => {
    const kept = await callWithStores(transport, 5_000);
    assert.equal(kept.length, 0, `${kept.length} stores of 2,000 are still there`);
  });
}

it('calls with contexts of their own leave the heap as it was', (t) => assertHeapStays(t, 100_000));
