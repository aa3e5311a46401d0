/** What happened last when a call began: nothing yet, a server was killed, a new one joined. */
export const PHASES = ['before', 'killed', 'joined'] as const;
export type Phase = (typeof PHASES)[number];

export type Counts = Readonly<Record<string, number>>;

/** What the client counts. */
export type Tally = {
  calls: number;
  /** By the name of the status. */
  readonly failures: Record<string, number>;
  /** By the name of the server. */
  readonly answers: Readonly<Record<Phase, Record<string, number>>>;
  /** The most calls that were ever under way at once, by address. */
  readonly peak: Record<string, number>;
};

export const emptyTally = (): Tally => ({
  calls: 0,
  failures: {},
  answers: { before: {}, killed: {}, joined: {} },
  peak: {},
});

export const add = (counts: Record<string, number>, key: string): void => {
  counts[key] = (counts[key] ?? 0) + 1;
};

export const sum = (counts: Counts): number =>
  Object.values(counts).reduce((total, count) => total + count, 0);

/** From the client to the demo. */
export type Report =
  /** Every tenth of a second. */
  | { readonly kind: 'progress'; readonly tally: Tally }
  | { readonly kind: 'killed'; readonly underWay: number }
  | { readonly kind: 'done'; readonly tally: Tally };

/** From the demo to the client. */
export type Order =
  /** The client kills the server, between two calls, so that it knows of each call whether it began before. */
  { readonly kind: 'kill'; readonly pid: number; readonly address: string } | { readonly kind: 'stop' };
