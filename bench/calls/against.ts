import { type Compared, compared, median } from '../verdict.js';
import type { Kind } from './kinds.js';
import { type Plan, planned, type Work } from './plan.js';
import { type Memory, medians, type Row, type Skipped } from './results.js';
import { held, type Running, sample, startBoth } from './running.js';
import { ourStacks } from './stacks.js';

/** Folders of built Lictors. */
export type Builds = { readonly old: string; readonly new: string };

/** One side's CPU in one kind of load. */
export type ComparedRow = Compared & {
  readonly stack: string;
  readonly kind: string;
  readonly inFlight: number;
  readonly side: 'server' | 'client';
  readonly oldUs: number;
  readonly newUs: number;
  readonly oldPerSecond: number;
  readonly newPerSecond: number;
};
export type ComparedMemory = { readonly old: Memory; readonly new: Memory };
export type Comparison = {
  readonly rows: ComparedRow[];
  readonly memory: ComparedMemory[];
  readonly skipped: Skipped[];
};

/** How long each of two builds works for one ratio. */
const PAIR_MS = 100;
const MEMORY_ROUNDS = 3;

/** Every row of Lictor's own stacks, of an old build beside a new one. */
export async function measureAgainst(plan: Plan, builds: Builds): Promise<Comparison> {
  const { work, skipped } = planned(ourStacks, plan);
  const rows: ComparedRow[] = [];
  for (const one of work) {
    if (one.kinds.length === 0) continue;
    const itself = await inTurn(plan, one, 'A/A', [builds.new, builds.new]);
    const against = await inTurn(plan, one, 'old/new', [builds.old, builds.new]);
    for (const kind of one.kinds) rows.push(...comparedRows(against.get(kind)!, itself.get(kind)!));
  }
  const memory: ComparedMemory[] = [];
  for (const one of work.filter((one) => one.memory)) {
    for (const per of ['connection', 'stream'] as const) {
      plan.say(`memory of ${one.entry.name} per ${per}`);
      memory.push(await comparedMemory(plan, one, builds, per));
    }
  }
  return { rows, memory, skipped: skipped.filter(({ kind }) => kind !== 'cold start') };
}

/** What two sets of processes gave at about the same time. */
type Pair = readonly [Row, Row];
/** By round. */
type Pairs = Pair[][];

/**
 * Two sets of processes at the same time, which work in turn, so that what drifts falls on both. Each round has
 * processes of its own, since two of one build differ for as long as they run.
 */
async function inTurn(
  plan: Plan,
  { entry, kinds }: Work,
  what: string,
  builds: readonly [string, string],
): Promise<Map<Kind, Pairs>> {
  const pairs = new Map<Kind, Pairs>(kinds.map((kind) => [kind, []]));
  for (let round = 1; round <= plan.rounds; round++) {
    plan.say(`${entry.name}, ${what}: round ${round} of ${plan.rounds}`);
    using a = await startBoth(entry, builds[0], plan);
    using b = await startBoth(entry, builds[1], plan);
    for (const kind of kinds) {
      // This only warms the compilers.
      for (const running of [a, b]) await sample(plan.h2load, running, kind, Math.ceil(plan.ms / 2));
      pairs.get(kind)!.push(await pairsOf(plan, a, b, kind));
    }
  }
  return pairs;
}

/** One round: a b b a, as often as it lasts. Short pieces, since what else the machine does comes and goes. */
async function pairsOf(plan: Plan, a: Running, b: Running, kind: Kind): Promise<Pair[]> {
  const count = kind.load === 'h2load' ? 1 : Math.max(1, Math.round(plan.ms / PAIR_MS));
  const piece = (running: Running) => sample(plan.h2load, running, kind, Math.ceil(plan.ms / count / 2));
  const pairs: Pair[] = [];
  for (let i = 0; i < count; i++) {
    const first = await piece(a);
    const b2 = [await piece(b), await piece(b)] as const;
    pairs.push([mean(first, await piece(a)), mean(...b2)]);
  }
  return pairs;
}

/** Of two samples that took as long. */
function mean(one: Row, two: Row): Row {
  const both = (a: number, b: number) => (a + b) / 2;
  const clients = [one.clientCpuUs, two.clientCpuUs] as const;
  return {
    ...one,
    callsPerSecond: both(one.callsPerSecond, two.callsPerSecond),
    serverCpuUs: both(one.serverCpuUs, two.serverCpuUs),
    clientCpuUs: clients[0] !== null && clients[1] !== null ? both(clients[0], clients[1]) : null,
  };
}

function comparedRows(against: Pairs, itself: Pairs): ComparedRow[] {
  const { stack, kind, inFlight, clientCpuUs } = against[0]![0]![0];
  const sides = clientCpuUs === null ? (['server'] as const) : (['server', 'client'] as const);
  return sides.map((side) => {
    const us = (row: Row) => (side === 'server' ? row.serverCpuUs : row.clientCpuUs!);
    const ratios = (rounds: Pairs) => rounds.map((pairs) => median(pairs.map(([a, b]) => us(b) / us(a))));
    const middle = (which: 0 | 1, of: (row: Row) => number) =>
      median(against.flat().map((pair) => of(pair[which])));
    return {
      ...{ stack, kind, inFlight, side },
      oldUs: middle(0, us),
      newUs: middle(1, us),
      oldPerSecond: middle(0, (row) => row.callsPerSecond),
      newPerSecond: middle(1, (row) => row.callsPerSecond),
      ...compared(ratios(against), ratios(itself)),
    };
  });
}

async function comparedMemory(
  plan: Plan,
  { entry }: Work,
  builds: Builds,
  per: Memory['per'],
): Promise<ComparedMemory> {
  const samples: { old: Memory[]; new: Memory[] } = { old: [], new: [] };
  for (let round = 0; round < MEMORY_ROUNDS; round++) {
    samples.old.push(await held(entry, builds.old, plan, per));
    samples.new.push(await held(entry, builds.new, plan, per));
  }
  return { old: medians(samples.old), new: medians(samples.new) };
}
