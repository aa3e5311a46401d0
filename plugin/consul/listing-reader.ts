import { textOf } from '../../rpc/error.js';
import type { LogFields, Logger } from '../../rpc/log.js';
import { MAX_NODES } from '../node-data.js';

export type ListingReaderOptions<E, T> = {
  readonly logger: Logger;
  /** What is listed, for the log: `entries in Consul`, and one that is skipped. */
  readonly words: { readonly all: string; readonly skipped: string };
  /** Where it is listed, for the log. */
  readonly place: LogFields;
  /** Undefined for what is passed over without a word. @throws when it is of no use */
  readonly parse: (entry: E) => T | undefined;
  /** Tells a skipped entry from the others; one that is listed again with the same `content` is not warned of again. */
  readonly describe: (
    entry: E,
    at: number,
    reason: string,
  ) => { readonly key: string; readonly content: string; readonly fields: LogFields };
};

const MAX_WARNINGS = 20;

/**
 * Reads listing after listing, and skips what cannot be used, with one warning for each entry and content however often
 * it is listed, since anybody may write into a registry. What is beyond `MAX_NODES` is not looked at.
 */
export function listingReader<E, T>(
  options: ListingReaderOptions<E, T>,
): (entries: readonly E[]) => readonly T[] {
  const { logger, words, place, parse, describe } = options;
  let skipped = new Map<string, string>(); // Key to content.
  let flooded = false;
  return (entries) => {
    const skippedNow = new Map<string, string>();
    const read: T[] = [];
    let warnings = 0;
    for (const [at, entry] of entries.slice(0, MAX_NODES).entries()) {
      try {
        const parsed = parse(entry);
        if (parsed !== undefined) read.push(parsed);
      } catch (error) {
        const reason = textOf(error);
        const { key, content, fields } = describe(entry, at, reason);
        skippedNow.set(key, content);
        if (skipped.get(key) === content || ++warnings > MAX_WARNINGS) continue;
        logger.warn(`skipped ${words.skipped}`, { ...fields, reason });
      }
    }
    if (warnings > MAX_WARNINGS)
      logger.warn(`skipped more ${words.all}`, { ...place, count: warnings - MAX_WARNINGS });
    const floods = entries.length > MAX_NODES;
    if (floods && !flooded) {
      logger.warn(`too many ${words.all}, the rest is not used`, {
        ...place,
        count: entries.length,
        limit: MAX_NODES,
      });
    }
    flooded = floods;
    skipped = skippedNow;
    return read;
  };
}
