import { type DecodedLimit, tooLargeDecoded } from '../rpc/decoded-limit.js';
import { RpcError, textOf } from '../rpc/error.js';
import { Status } from '../rpc/status.js';
import { dropPoison } from './json-poison.js';
import { isCheapJson, type JsonExtra, jsonPrice, NO_EXTRA } from './json-price.js';

/** How deep arrays and objects may stand inside each other, in both directions. */
export const MAX_DEPTH = 64;

const utf8 = new TextDecoder('utf-8', { fatal: true });

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * JSON from a peer as a value. Text that is not UTF-8 or not JSON is refused, and nesting beyond 64. The keys
 * `__proto__`, and `constructor` over an object with a `prototype`, are dropped: JSON.parse makes plain properties of
 * them, but the first `Object.assign` or deep merge would make them prototypes. Of equal keys the last one counts.
 * @param what named in errors
 * @param limit what the value may take of the heap
 * @param extra what is made of the values afterwards
 * @throws RpcError INTERNAL, or RESOURCE_EXHAUSTED for what is over the limit
 */
export function parseJson(bytes: Uint8Array, what: string, limit?: DecodedLimit, extra = NO_EXTRA): unknown {
  if (limit) checkPrice(bytes, what, limit, extra);
  if (isDeep(bytes)) throw malformed(what, `nested deeper than ${MAX_DEPTH}`);
  try {
    const text = utf8.decode(bytes);
    const value: unknown = JSON.parse(text);
    return mayHoldPoison(text) ? dropPoison(value) : value;
  } catch (cause) {
    throw malformed(what, textOf(cause), cause);
  }
}

/**
 * A value as JSON. `undefined` becomes `null`, so that a method may answer with nothing.
 * @param what named in errors
 * @throws RpcError INVALID_ARGUMENT for what JSON has no text for: a bigint, a function, a circle, nesting beyond 64
 */
export function formatJson(value: unknown, what: string): Buffer {
  let text: string | undefined;
  try {
    text = JSON.stringify(value === undefined ? null : value);
  } catch (cause) {
    const path = String(cause).includes('BigInt') ? pathOfBigint(value, 0) : undefined;
    const why =
      path === undefined
        ? textOf(cause)
        : `${path} is a bigint, for which JSON has no text; send a string, or use protobuf or msgpack`;
    throw refused(what, why, cause);
  }
  if (text === undefined) throw refused(what, `a ${typeof value} has no JSON`);
  const bytes = Buffer.from(text);
  if (isDeep(bytes)) throw refused(what, `nested deeper than ${MAX_DEPTH}`);
  return bytes;
}

function checkPrice(bytes: Uint8Array, what: string, limit: DecodedLimit, extra: JsonExtra): void {
  if (isCheapJson(bytes.length, extra, limit.bytes)) return;
  const price = jsonPrice(bytes, extra, limit.bytes);
  if (price > limit.bytes) throw tooLargeDecoded(what, bytes.length, price, limit);
}

/** Whether brackets outside strings stand deeper than allowed. Looked at before parsing, in one pass. */
function isDeep(bytes: Uint8Array): boolean {
  if (bytes.length <= MAX_DEPTH) return false;
  let depth = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) {
      while (++at < bytes.length && bytes[at] !== QUOTE) if (bytes[at] === BACKSLASH) at++;
    } else if (byte === 0x7b || byte === 0x5b) {
      if (++depth > MAX_DEPTH) return true;
    } else if (byte === 0x7d || byte === 0x5d) depth--;
  }
  return false;
}

/** Such a key can be written with escapes. */
const mayHoldPoison = (text: string) =>
  text.includes('__proto__') || text.includes('prototype') || text.includes('\\u');

/** Where the bigint is that stopped JSON.stringify: `message.user.id`. */
function pathOfBigint(value: unknown, depth: number): string | undefined {
  if (typeof value === 'bigint') return 'message';
  if (typeof value !== 'object' || value === null || depth > MAX_DEPTH) return undefined;
  for (const [key, inner] of Object.entries(value)) {
    const path = pathOfBigint(inner, depth + 1);
    if (path !== undefined) return path.replace('message', `message.${key}`);
  }
  return undefined;
}

const malformed = (what: string, why: string, cause?: unknown) =>
  new RpcError(Status.INTERNAL, `${what}: malformed json: ${why.slice(0, 200)}`, { cause });

const refused = (what: string, why: string, cause?: unknown) =>
  new RpcError(Status.INVALID_ARGUMENT, `${what}: ${why.slice(0, 200)}`, { cause, maybeExecuted: false });
