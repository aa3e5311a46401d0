import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from '../../plugin/consul/watch/watch.js';
import { startFakeConsul } from '../consul/fake.js';

for (const stale of [false, true]) {
  test(`what is read without an index is read from a leader that is sure, unless stale (${stale})`, {
    timeout: 10_000,
  }, async () => {
    await using fake = await startFakeConsul(({ list }, count) =>
      list({ 'a/b': String(count) }, String(count + 1)),
    );
    const plan = parse({ type: 'keyprefix', prefix: 'a/', stale });
    let told = 0;
    plan.handler = () => {
      if (++told === 2) plan.stop();
    };
    await plan.run(fake.address);
    const [first, second] = fake.exchanges.map(({ query }) => query);
    assert.equal(first!.has('index'), false);
    assert.equal(first!.has('consistent'), !stale);
    assert.equal(first!.has('stale'), stale);
    assert.equal(second!.has('index'), true);
    assert.equal(second!.has('consistent'), false);
  });
}
