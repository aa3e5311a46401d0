import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { root } from '../../scripts/root.js';
import { blocksOf, compiled } from './guide.js';

// Blocks of guides that are no whole programs: each compiles among what the page takes for granted.

const GIVEN = `
import { hostname } from 'node:os';
import { type Balancer, Client, detached, leastRequest, p2c, Server, subset, zoneFirst } from 'lictor';
import { fixed } from 'lictor/plugin/fixed';

type Order = { id: string; to: string; mail: string };
type Options = Parameters<Client['call']>[2];
declare const client: Client;
declare const order: Order;
declare const sayHello: (message: { msg: string }, options?: Options) => Promise<{ msg: string }>;
declare const orders: { placeOrder(order: Order, options?: Options): Promise<object> };
declare const stock: { reserve(what: { id: string }): Promise<object> };
declare const mail: { send(what: { to: string }): Promise<object> };
declare const report: (error: unknown) => void;
const resolver = fixed(['127.0.0.1:8000']);
`;

/** A method stands in its object. */
const wrapped = (block: string): string =>
  /^async \w+\(/.test(block)
    ? `export const methods = { ${block.replace('(order)', '(order: Order)')} };`
    : `export async function block() {\n${block}\n}`;

for (const guide of ['resilience', 'balancers', 'overload']) {
  test(`the blocks of docs/guide/${guide}.md compile`, { timeout: 120_000 }, () => {
    const blocks = blocksOf(readFileSync(join(root, `docs/guide/${guide}.md`), 'utf8'));
    assert.ok(blocks.length >= 2, `${blocks.length} blocks were found`);
    const files = blocks.map((block, n) => [`block${n}`, GIVEN + wrapped(block)] as const);
    // No block uses all that is given.
    using _ = compiled(Object.fromEntries(files), { noUnusedLocals: false });
  });
}
