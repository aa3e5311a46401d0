import type { UserEvent } from './result.js';

/** Agents remember 256 events; a few agents' worth, since several may be asked in turn. */
const REMEMBERED = 1_024;

/**
 * Tells events that are new to a reader. By their IDs: an agent's list has no order that lasts, its index is made of
 * the last ID, and the whole list comes again with every answer.
 */
export function unseenEvents(): (events: readonly UserEvent[]) => readonly UserEvent[] {
  const seen = new Set<string>();
  return (events) => {
    const fresh = events.filter(({ ID }) => !seen.has(ID));
    for (const { ID } of events) {
      seen.delete(ID); // What is still listed is remembered longest.
      seen.add(ID);
    }
    for (const id of seen) {
      if (seen.size <= REMEMBERED) break;
      seen.delete(id);
    }
    return fresh;
  };
}
