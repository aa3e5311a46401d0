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
  /** Calls under way on the killed server when its connection broke; undefined before that. */
  underWay: number | undefined;
};

export const emptyTally = (): Tally => ({
  calls: 0,
  failures: {},
  answers: { before: {}, killed: {}, joined: {} },
  underWay: undefined,
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
  /** The killed server's connection has broken. */
  | { readonly kind: 'killed'; readonly underWay: number }
  | { readonly kind: 'done'; readonly tally: Tally };

/** From the demo to the client. */
export type Order =
  /** The client kills the server, so that it knows what was under way when the connection broke. */
  { readonly kind: 'kill'; readonly pid: number; readonly address: string } | { readonly kind: 'stop' };
