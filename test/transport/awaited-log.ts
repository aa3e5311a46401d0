import { EventEmitter, once } from 'node:events';
import type { LogFields, Logger } from '../../rpc/log.js';

/** A logger whose lines can be waited for. */
export function awaitedLog() {
  const lines: { message: string; fields: LogFields }[] = [];
  const arrivals = new EventEmitter();
  const keep = (message: string, fields: LogFields = {}) => {
    lines.push({ message, fields });
    arrivals.emit('line');
  };
  const logger: Logger = { info: keep, warn: keep, error: keep };
  let from = 0;
  return {
    logger,
    lines,
    /** The next line that has this in its message or fields, after the one that was waited for before. */
    async next(pattern: RegExp): Promise<string> {
      for (; ; from++) {
        while (from >= lines.length) await once(arrivals, 'line');
        const text = JSON.stringify(lines[from]);
        if (!pattern.test(text)) continue;
        from++;
        return text;
      }
    },
  };
}
