import type { LogFields, Logger } from '../../rpc/log.js';

export type Line = { readonly level: 'warn' | 'error'; readonly message: string; readonly fields: LogFields };

/** Keeps what is logged. */
export function recordingLogger(): Logger & { readonly lines: Line[] } {
  const lines: Line[] = [];
  const keep =
    (level: Line['level']) =>
    (message: string, fields: LogFields = {}) =>
      void lines.push({ level, message, fields });
  return { lines, warn: keep('warn'), error: keep('error') };
}
