import type { Metadata } from '../../rpc/metadata.js';

/** In a call's metadata: how much it matters when a server has too much to do; `normal` without it. */
export const PRIORITY = 'lictor-priority';

/** The most important first. */
export const PRIORITIES = ['high', 'normal', 'low'] as const;

/** An index into `PRIORITIES`. */
export type Priority = 0 | 1 | 2;

/** Anything else than a name of a priority says nothing, so that no text makes a call matter more. */
export function priorityOf(metadata: Metadata): Priority {
  const at = PRIORITIES.indexOf(metadata.get(PRIORITY) as (typeof PRIORITIES)[number]);
  return at < 0 ? 1 : (at as Priority);
}
