/** What the client counts. */
export type Tally = {
  calls: number;
  /** By the name of the status. */
  failures: Record<string, number>;
  /** Answered calls by the server's name, apart for those begun before the kill and since. */
  before: Record<string, number>;
  since: Record<string, number>;
  /** The most calls that were ever under way at once, by address. */
  peak: Record<string, number>;
};

export const emptyTally = (): Tally => ({ calls: 0, failures: {}, before: {}, since: {}, peak: {} });

export const add = (counts: Record<string, number>, key: string): void => {
  counts[key] = (counts[key] ?? 0) + 1;
};

export const sum = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((total, count) => total + count, 0);

/** From the client to the demo. */
export type Report =
  /** Every tenth of a second. */
  | { readonly kind: 'progress'; readonly tally: Tally }
  | { readonly kind: 'killed'; readonly underWay: number }
  | { readonly kind: 'done'; readonly tally: Tally };

/** From the demo to the client. */
export type Order =
  /** Kills a server, between two calls, so that each call is known to be from before or since. */
  { readonly kind: 'kill'; readonly pid: number; readonly address: string } | { readonly kind: 'stop' };
