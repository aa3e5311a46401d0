import { fileURLToPath } from 'node:url';
import { defineService, unary } from 'lictor';
import { cpuPerCall, type Side, startSide, stopSide } from '../child-cpu.js';
import { errorOf, median, undisturbed } from '../verdict.js';
import { inherit } from './service.js';
import { type State, states } from './states.js';

/** The server's CPU per call in one state, in microseconds. */
export type Figure = {
  readonly state: string;
  readonly us: number;
  /** To the first state. */
  readonly ratio: Ratio;
  readonly old?: { readonly us: number; readonly newToOld: Ratio };
};
/** The median of the rounds' ratios, and its standard error. */
export type Ratio = { readonly median: number; readonly error: number };

export type Plan = {
  readonly node: string;
  readonly rounds: number;
  /** Of each round, after as many to warm up. */
  readonly calls: number;
  /** Folders of built Lictors. */
  readonly build: string;
  readonly old: string | undefined;
};

const PIECE_CALLS = 2_000;
const program = fileURLToPath(new URL('./server.js', import.meta.url));
const service = inherit({ defineService, unary });

/** All states of all builds, in each round with processes of their own, since two that do the same differ. */
export async function measure(plan: Plan): Promise<Figure[]> {
  const rounds: Round[] = [];
  for (let i = 0; i < plan.rounds; i++) rounds.push(await round(plan));
  return states.map((state) => {
    const us = rounds.map((of) => of(state, plan.build));
    const figure = {
      state: state.name,
      us: median(us),
      ratio: ratio(us.map((value, i) => value / rounds[i]!(states[0]!, plan.build))),
    };
    if (plan.old === undefined) return figure;
    const before = rounds.map((of) => of(state, plan.old!));
    const newToOld = ratio(us.map((value, i) => value / before[i]!));
    return { ...figure, old: { us: median(before), newToOld } };
  });
}

const ratio = (values: readonly number[]): Ratio => ({ median: median(values), error: errorOf(values) });

/** CPU per call in one round. */
type Round = (state: State, build: string) => number;

async function round({ node, calls, build, old }: Plan): Promise<Round> {
  const subjects = states.flatMap((state) =>
    [...(old === undefined ? [] : [old]), build].map((of) => ({ state, build: of })),
  );
  const sides: Side[] = [];
  try {
    for (const { state, build } of subjects) {
      sides.push(await startSide(program, JSON.stringify({ ...state, build }), node));
    }
    for (const side of sides) await measured(side, calls); // This only warms the compilers.
    // Forth and back in short pieces, so that what else the machine does falls on all of them.
    for (let left = calls; left > 0; left -= 2 * PIECE_CALLS) {
      for (const side of [...sides, ...sides.toReversed()]) {
        side.usPerCall.push(await measured(side, Math.ceil(Math.min(left / 2, PIECE_CALLS))));
      }
    }
    return (state, build) => {
      return undisturbed(
        sides[subjects.findIndex((one) => one.state === state && one.build === build)]!.usPerCall,
      );
    };
  } finally {
    await Promise.all(sides.map(stopSide));
  }
}

function measured(side: Side, calls: number): Promise<number> {
  const api = side.client.service(service);
  return cpuPerCall(side, calls, () => api.call({}));
}
