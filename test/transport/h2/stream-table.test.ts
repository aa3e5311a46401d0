import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { GrpcStream } from '../../../transport/h2/stream.js';
import { StreamTable } from '../../../transport/h2/stream-table.js';

const streamOf = (id: number) => ({ id }) as GrpcStream;

test('a table of streams does what a Map does, whatever order streams end in', () => {
  // Numbers come in order; those that end late collide with later ones in a small table.
  const steps = fc.array(fc.record({ open: fc.boolean(), which: fc.nat() }), { maxLength: 400 });
  fc.assert(
    fc.property(steps, (plan) => {
      const table = new StreamTable();
      const model = new Map<number, GrpcStream>();
      let next = 1;
      for (const { open, which } of plan) {
        if (open || model.size === 0) {
          const stream = streamOf(next);
          next += 2 * (1 + (which % 20)); // Some numbers are skipped: streams that were refused.
          table.add(stream);
          model.set(stream.id, stream);
        } else {
          const id = [...model.keys()][which % model.size]!;
          assert.equal(table.delete(id), true);
          assert.equal(table.delete(id), false);
          model.delete(id);
        }
        assert.equal(table.size, model.size);
      }
      for (let id = 1; id < next; id += 2) assert.equal(table.get(id), model.get(id));
      assert.deepEqual(new Set(table.values()), new Set(model.values()));
    }),
  );
});

test('a table of more streams than it has places finds each, and none when it is cleared', () => {
  const table = new StreamTable();
  const streams = Array.from({ length: 10_000 }, (_, i) => streamOf(1 + i * 2));
  for (const stream of streams) table.add(stream);
  for (const stream of streams) assert.equal(table.get(stream.id), stream);
  assert.equal(table.values().length, 10_000);
  table.clear();
  assert.equal(table.size, 0);
  assert.equal(table.get(1), undefined);
});
