import { textOf } from './error.js';

/** Where Lictor says what its user ought to know: a warning for what heals itself, an error for what needs a person. */
export interface Logger {
  /** What went well and is rare, such as a renewed certificate. A logger without it does not get these. */
  info?(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

export type LogFields = Readonly<Record<string, unknown>>;

const MAX_TEXT = 256;
const MAX_STACK = 2_048;
/** What JSON leaves as it is and terminals or line readers act on. */
const UNSAFE = /[\x7f-\x9f\u2028\u2029]/g;

/** One line of JSON per event on stderr. Texts are cut and escaped, since many come from peers and registries. */
export const stderrLogger: Required<Logger> = {
  info: (message, fields) => write('info', message, fields),
  warn: (message, fields) => write('warn', message, fields),
  error: (message, fields) => write('error', message, fields),
};

export const silentLogger: Logger = { warn() {}, error() {} };

function write(level: string, message: string, fields: LogFields = {}): void {
  const line: Record<string, unknown> = {
    time: new Date().toISOString(),
    level,
    message: cut(message, MAX_TEXT),
  };
  for (const [key, value] of Object.entries(fields)) line[key] = printable(value);
  process.stderr.write(`${JSON.stringify(line).replace(UNSAFE, escaped)}\n`);
}

function printable(value: unknown): unknown {
  if (typeof value === 'number' || typeof value === 'boolean' || value === undefined) return value;
  const stack = stackOf(value);
  return stack === undefined ? cut(textOf(value), MAX_TEXT) : cut(stack, MAX_STACK);
}

function stackOf(value: unknown): string | undefined {
  try {
    return value instanceof Error && typeof value.stack === 'string' ? value.stack : undefined;
  } catch {
    return undefined;
  }
}

const escaped = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;

const cut = (text: string, length: number) => (text.length > length ? `${text.slice(0, length)}...` : text);
