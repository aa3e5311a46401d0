import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { root } from '../../scripts/root.js';

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
    const page = readFileSync(join(root, `docs/guide/${guide}.md`), 'utf8');
    const blocks = [...page.matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => match[1]!);
    if (blocks.length < 2) throw new Error(`${blocks.length} blocks were found`);
    // Inside the project, so that 'lictor' is found as a package by its own name.
    mkdirSync(join(root, '.cache'), { recursive: true });
    const folder = mkdtempSync(join(root, '.cache/guide-'));
    try {
      for (const [n, block] of blocks.entries())
        writeFileSync(join(folder, `block${n}.ts`), GIVEN + wrapped(block));
      const compilerOptions = {
        rootDir: '.',
        noEmit: true,
        noUnusedLocals: false,
        noUnusedParameters: false,
      };
      const config = { extends: '../../tsconfig.json', compilerOptions, include: ['*.ts'], exclude: [] };
      writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
      const tsc = join(root, 'node_modules/typescript/bin/tsc');
      execFileSync(process.execPath, [tsc, '-p', folder], { stdio: ['ignore', 2, 2] });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}
