import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Client } from 'lictor';
import { Work } from './service.js';

const ROUNDS = 16;
const CALLS = 40_000;
const IN_FLIGHT = 100;
const program = fileURLToPath(new URL('./server.js', import.meta.url));

type Side = { readonly child: ChildProcess; readonly client: Client; readonly usPerCall: number[] };

async function start(overload: object | false): Promise<Side> {
  const child = fork(program, [JSON.stringify({ kind: 'nothing', overload })]);
  const [address] = (await once(child, 'message')) as [string];
  return { child, client: new Client({ target: address }), usPerCall: [] };
}

async function cpuUs(child: ChildProcess): Promise<number> {
  child.send('usage');
  const [{ user, system }] = (await once(child, 'message')) as [NodeJS.CpuUsage];
  return user + system;
}

async function round({ child, client }: Side): Promise<number> {
  const { work } = client.service(Work);
  const before = await cpuUs(child);
  let left = CALLS;
  const loop = async () => {
    while (left-- > 0) await work({});
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, loop));
  return ((await cpuUs(child)) - before) / CALLS;
}

/** What a machine does beside it only adds: the lower rounds are nearer to the truth than the median. */
const lowerQuartile = (numbers: readonly number[]) =>
  [...numbers].sort((a, b) => a - b)[numbers.length >> 2]!;

/** CPU of a server per call that does nothing, in microseconds, with the default settings and with `overload: false`. */
export async function costUs(): Promise<{ with: number; without: number }> {
  const sides = [await start({}), await start(false)] as const;
  // In turns, so that what else the machine does falls on both; the first only warms the compilers.
  for (let i = 0; i <= ROUNDS; i++) {
    for (const side of i % 2 === 0 ? sides : sides.toReversed()) {
      const us = await round(side);
      if (i > 0) side.usPerCall.push(us);
    }
  }
  for (const { child, client } of sides) {
    await client.close();
    child.kill();
  }
  return { with: lowerQuartile(sides[0].usPerCall), without: lowerQuartile(sides[1].usPerCall) };
}
