/**
 * What an encoder does with a field that no table has yet:
 *
 * - `repeated`: puts it into the table when it comes the second time
 * - `name`: puts it into the table the first time, for the sake of its name; writes its value out every time, since
 *   that is most likely another each time
 * - `without`: writes it out every time
 * - `never`: writes it out every time and forbids every hop to index it, since its value is a secret: what is in a
 *   table can be guessed at through the length of other blocks (RFC 7541, 7.1)
 */
export type Indexing = 'repeated' | 'name' | 'without' | 'never';

const SECRET = new Set(['authorization', 'proxy-authorization', 'cookie', 'set-cookie']);
const CHANGING = new Set(['grpc-timeout', 'traceparent', 'content-length', 'date']);

/** The policy of an encoder that is not given one: knows the secrets and the changing values of HTTP and gRPC. */
export function indexingOf(name: string): Indexing {
  if (SECRET.has(name)) return 'never';
  if (CHANGING.has(name)) return 'name';
  return name === 'grpc-message' || name.endsWith('-bin') ? 'without' : 'repeated';
}

const SLOTS = 64;

/** Tells the fields that come again from those that come once; of bounded memory, so it forgets and confuses some. */
export class RepeatFilter {
  readonly #hashes = new Int32Array(SLOTS);

  /** Whether the field has come before; from now on it has. */
  seen(name: string, value: string): boolean {
    let hash = Math.imul(name.length, 31) + value.length;
    hash = Math.imul(hash, 31) + name.charCodeAt(name.length - 1);
    // The end of a value is what tells ids and paths apart; 16 characters of it keep the time constant.
    const from = Math.max(0, value.length - 16);
    for (let at = value.length - 1; at >= from; at--) hash = Math.imul(hash, 31) + value.charCodeAt(at);
    // Not 0, which is an empty slot.
    hash = (hash ^ (hash >>> 7)) | 0 || 1;
    const slot = hash & (SLOTS - 1);
    if (this.#hashes[slot] === hash) return true;
    this.#hashes[slot] = hash;
    return false;
  }
}
