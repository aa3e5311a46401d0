import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { type CallOptions, Metadata, Server } from 'lictor';
import { root } from '../../scripts/root.js';
import { overloadSettings } from '../../server/overload/options.js';
import { priorityOf } from '../../server/overload/priority.js';
import { blocksOf } from './guide.js';

const file = join(root, 'docs/guide/overload.md');
const page = readFileSync(file, 'utf8');

test('docs/guide/overload.md tells of every setting, with its default', () => {
  const told = new Map<string, string>();
  for (const [, name, value] of page.matchAll(/^\| `(\w+)` +\| (\S+(?: MiB)?) +\|/gm))
    told.set(name!, value!);
  const shown = Object.entries(overloadSettings({})).map(([name, value]) => [
    name,
    typeof value === 'string'
      ? `\`'${value}'\``
      : name.endsWith('Bytes')
        ? `${value / 2 ** 20} MiB`
        : value.toLocaleString('en'),
  ]);
  assert.deepEqual(Object.fromEntries(told), Object.fromEntries(shown));
});

test('the code of docs/guide/overload.md runs', async () => {
  const calls: CallOptions[] = [];
  const orders = { placeOrder: (_: unknown, options: CallOptions) => calls.push(options) };
  const blocks = blocksOf(page);
  assert.equal(blocks.length, 2);
  const AsyncFunction = (async () => {}).constructor as FunctionConstructor;
  for (const code of blocks) await new AsyncFunction('Server', 'orders', 'order', code)(Server, orders, {});
  const { metadata } = calls[0]!;
  assert.ok(metadata && !(metadata instanceof Metadata));
  assert.equal(priorityOf(new Metadata().set('lictor-priority', metadata['lictor-priority'] as string)), 0);
});

test('docs/guide/overload.md links only to what exists', () => {
  for (const [, link] of page.matchAll(/\]\((?!https:)([^)]+)\)/g))
    assert.ok(existsSync(join(dirname(file), link!)), link);
});
