import type { Answer } from './answer.js';

/** What Consul lists at one moment, and how far to trust it. */
export interface Listing<E = unknown> extends Trust {
  readonly entries: readonly E[];
}

/** See `Answer`. */
export type Trust = Pick<Answer, 'index' | 'knownLeader' | 'lastContactMs'> & {
  readonly isStreamed?: true;
  readonly isFiltered?: true;
};

export const trustOf = ({ index, knownLeader, lastContactMs, isStreamed, isFiltered }: Answer): Trust => ({
  index,
  knownLeader,
  lastContactMs,
  ...(isStreamed ? { isStreamed } : {}),
  ...(isFiltered ? { isFiltered } : {}),
});
