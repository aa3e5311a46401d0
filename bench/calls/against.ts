import { type Compared, compared, median, undisturbed } from '../verdict.js';
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

/** How long each of two builds works at a stretch. */
const PIECE_MS = 50;
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

/** What two sets of processes gave in one round, piece by piece. */
type Round = readonly [Row[], Row[]];

/**
 * Two sets of processes at the same time, which work in turn, so that what drifts falls on both. Each round has
 * processes of its own, since two of one build differ for as long as they run.
 */
async function inTurn(
  plan: Plan,
  { entry, kinds }: Work,
  what: string,
  builds: readonly [string, string],
): Promise<Map<Kind, Round[]>> {
  const rounds = new Map<Kind, Round[]>(kinds.map((kind) => [kind, []]));
  for (let round = 1; round <= plan.rounds; round++) {
    plan.say(`${entry.name}, ${what}: round ${round} of ${plan.rounds}`);
    using a = await startBoth(entry, builds[0], plan);
    using b = await startBoth(entry, builds[1], plan);
    for (const kind of kinds) {
      // This only warms the compilers.
      for (const running of [a, b]) await sample(plan.h2load, running, kind, Math.ceil(plan.ms / 2));
      rounds.get(kind)!.push(await roundOf(plan, a, b, kind));
    }
  }
  return rounds;
}

/** a b b a, as often as a round lasts. Short pieces, since what else the machine does comes and goes. */
async function roundOf(plan: Plan, a: Running, b: Running, kind: Kind): Promise<Round> {
  const count = kind.load === 'h2load' ? 1 : Math.max(1, Math.round(plan.ms / PIECE_MS / 2));
  const round: Round = [[], []];
  for (let i = 0; i < count; i++) {
    for (const which of [0, 1, 1, 0] as const) {
      const running = which === 0 ? a : b;
      round[which].push(await sample(plan.h2load, running, kind, Math.ceil(plan.ms / count / 2)));
    }
  }
  return round;
}

function comparedRows(against: readonly Round[], itself: readonly Round[]): ComparedRow[] {
  const { stack, kind, inFlight, clientCpuUs } = against[0]![0][0]!;
  const sides = clientCpuUs === null ? (['server'] as const) : (['server', 'client'] as const);
  return sides.map((side) => {
    const us = (row: Row) => (side === 'server' ? row.serverCpuUs : row.clientCpuUs!);
    const usOf = (pieces: readonly Row[]) => undisturbed(pieces.map(us));
    const ratios = (rounds: readonly Round[]) => rounds.map(([a, b]) => usOf(b) / usOf(a));
    const middle = (which: 0 | 1, of: (pieces: readonly Row[]) => number) =>
      median(against.map((round) => of(round[which])));
    const perSecond = (pieces: readonly Row[]) => median(pieces.map((row) => row.callsPerSecond));
    return {
      ...{ stack, kind, inFlight, side },
      oldUs: middle(0, usOf),
      newUs: middle(1, usOf),
      oldPerSecond: middle(0, perSecond),
      newPerSecond: middle(1, perSecond),
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
