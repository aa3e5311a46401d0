import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '../../rpc/log.js';
import type { Node } from '../../selector/node.js';
import { uniqueNodes } from '../node-data.js';
import { listEntries, readEntry } from './entry-file.js';

/**
 * Reads a service's folder again and again: the nodes whose processes run. Files of dead processes are removed;
 * what is no entry is skipped, with one warning for each content.
 */
export function nodeLister(folder: string, logger: Logger): () => Promise<readonly Node[]> {
  let skipped = new Map<string, string>();
  return async () => {
    const skippedNow = new Map<string, string>();
    const nodes: Node[] = [];
    for (const name of await listEntries(folder)) {
      const file = join(folder, name);
      const entry = await readEntry(file);
      switch (entry.kind) {
        case 'node':
          nodes.push(entry.node);
          break;
        case 'dead':
          await rm(file, { force: true }).catch(() => {}); // Another user's file stays, and stays dead.
          break;
        case 'bad': {
          const seen = `${entry.reason} ${entry.text}`;
          skippedNow.set(name, seen);
          if (skipped.get(name) === seen) break;
          logger.warn('skipped a file that is no entry', {
            file,
            value: JSON.stringify(entry.text.slice(0, 64)),
            reason: entry.reason,
          });
          break;
        }
        case 'absent':
          break;
      }
    }
    skipped = skippedNow;
    return uniqueNodes(nodes);
  };
}
