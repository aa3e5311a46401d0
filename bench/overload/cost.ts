import { fileURLToPath } from 'node:url';
import { quantile } from '../../test/faults/figures.js';
import { cpuPerCall, type Side, startSide, stopSide } from '../child-cpu.js';
import { Work } from './service.js';

const ROUNDS = 16;
const CALLS = 40_000;
const program = fileURLToPath(new URL('./server.js', import.meta.url));

const start = (overload: object | false) => startSide(program, JSON.stringify({ kind: 'nothing', overload }));

function round(side: Side): Promise<number> {
  const { work } = side.client.service(Work);
  return cpuPerCall(side, CALLS, () => work({}));
}

/** What a machine does beside it only adds: the lower rounds are nearer to the truth than the median. */
const lowerQuartile = ({ usPerCall }: Side) => quantile(usPerCall, 0.25);

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
  await Promise.all(sides.map(stopSide));
  return { with: lowerQuartile(sides[0]), without: lowerQuartile(sides[1]) };
}
