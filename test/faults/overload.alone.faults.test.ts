import assert from 'node:assert/strict';
import { test } from 'node:test';
import { overloaded } from '../../bench/overload/overloaded.js';

// The figures of a minute are those of `npm run bench:overload`.

for (const { kind, overload } of [
  { kind: 'cpu', overload: {} },
  { kind: 'cpu after an await', overload: {} },
] as const) {
  test(`F48: three times what a server can do, which is limited by ${kind}`, {
    timeout: 90_000,
  }, async (t) => {
    const it = await overloaded({ kind, overload, seconds: 8, times: 3 });
    t.diagnostic(
      `goodput ${((100 * it.goodput) / it.capacity).toFixed(0)} % of ${it.capacity.toFixed(0)}/s, p99 ${it.answeredP99Ms.toFixed(0)} ms; ${it.refused} refused, p50 ${it.refusedP50Ms.toFixed(1)} ms, p99 ${it.refusedP99Ms.toFixed(1)} ms; ${it.failed} failed otherwise; recovered after ${it.recoveredMs.toFixed(0)} ms, to ${(100 * it.capacityAfter).toFixed(0)} % of what another does; ${(100 * it.badBeside).toFixed(1)} % of the other's calls were bad`,
    );
    assert.ok(it.goodput >= 0.8 * it.capacity, `${it.goodput} of ${it.capacity} calls a second`);
    assert.ok(it.refused > it.capacity * 8, `only ${it.refused} refused`);
    assert.ok(it.failed <= it.refused / 1_000, `${it.failed} failed`);
    assert.ok(it.recoveredMs <= 5_000, `recovered after ${it.recoveredMs} ms`);
    // A limit that stays low would leave it far less; what it does from one second to the next differs by a tenth.
    assert.ok(it.capacityAfter >= 0.75, `can do ${it.capacityAfter} of what another can, afterwards`);
    // A machine that is busy with other things delays some; the median is this server's own.
    assert.ok(it.refusedP50Ms <= 10, `refused after ${it.refusedP50Ms} ms`);
  });
}
