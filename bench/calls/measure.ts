import { root } from '../../scripts/root.js';
import { Child } from './child.js';
import { type Plan, planned } from './plan.js';
import { type Memory, medians, type Results, type Row, rounded, type Start } from './results.js';
import { held, type Running, sample, startBoth } from './running.js';
import { stacks } from './stacks.js';

/** Stacks in turn, so that what else the machine does falls on all of them; each figure is the median of the rounds. */
export async function measure(plan: Plan): Promise<Results> {
  const { work, skipped } = planned(stacks, plan);
  const running: Running[] = [];
  try {
    for (const { entry, kinds, start } of work) {
      if (kinds.length > 0 || start) running.push(await startBoth(entry, root, plan));
    }
    const all = [...new Set(work.flatMap(({ kinds }) => kinds))];
    const rows = await rounds(plan, `${all.length} kinds`, async () => {
      const samples: Row[] = [];
      for (const kind of all) {
        for (const stack of running) {
          const doing = work.find(({ entry }) => entry === stack.entry)!.kinds.includes(kind);
          if (doing) samples.push(roundedRow(await sample(plan.h2load, stack, kind, plan.ms)));
        }
      }
      return samples;
    });
    const starts = await rounds(plan, 'cold starts', async () => {
      const samples: Start[] = [];
      for (const stack of running) {
        const { start } = work.find(({ entry }) => entry === stack.entry)!;
        if (start) samples.push(await coldStart(plan, stack));
      }
      return samples;
    });
    const memory: Memory[] = [];
    for (const { entry, memory: wanted } of work) {
      if (!wanted) continue;
      plan.say(`memory of ${entry.name}`);
      memory.push(await held(entry, root, plan, 'connection'));
      if (entry.cannot.bidi === undefined) memory.push(await held(entry, root, plan, 'stream'));
    }
    return { rows, starts, memory, skipped };
  } finally {
    for (const stack of running) stack[Symbol.dispose]();
  }
}

/** The medians over the rounds. What comes first only warms the compilers. */
async function rounds<T extends object>(plan: Plan, what: string, once: () => Promise<T[]>): Promise<T[]> {
  const samples: T[][] = [];
  for (let round = 0; round <= plan.rounds; round++) {
    plan.say(round === 0 ? `warming up: ${what}` : `${what}: round ${round} of ${plan.rounds}`);
    samples.push(await once());
  }
  return samples[0]!.map((_, i) => medians(samples.slice(1).map((round) => round[i]!)));
}

function roundedRow(row: Row): Row {
  const whole = (value: number | null) => (value === null ? null : Math.round(value));
  return {
    ...row,
    callsPerSecond: Math.round(row.callsPerSecond),
    p50Us: whole(row.p50Us),
    p99Us: whole(row.p99Us),
    clientCpuUs: row.clientCpuUs === null ? null : rounded(row.clientCpuUs),
    serverCpuUs: rounded(row.serverCpuUs),
  };
}

async function coldStart({ registry }: Plan, { entry, address, group, build }: Running): Promise<Start> {
  const start = performance.now();
  using client = new Child(entry.name, 'client', build);
  const { firstCallMs } = await client.ask({ ask: 'open', address, registry, group, tls: undefined });
  return {
    stack: entry.name,
    coldStartMs: rounded(performance.now() - start),
    firstCallMs: rounded(firstCallMs),
  };
}
