export type MetadataValue = string | Uint8Array;

/** What may be given where metadata is asked for: `{ 'request-id': 'a1', 'trace-bin': bytes, tag: ['a', 'b'] }`. */
export type MetadataInit = Metadata | Readonly<Record<string, MetadataValue | readonly MetadataValue[]>>;

const KEY = /^[0-9a-z_.-]{1,128}$/;
const TEXT = /^[\x20-\x7e]*$/;

/** Keys that belong to HTTP/2 and gRPC themselves: a user who set them would break the call or forge its deadline. */
const RESERVED = new Set([
  // Not a header's name, but headers are plain objects in many libraries.
  '__proto__',
  'connection',
  'content-length',
  'content-type',
  'host',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
  'user-agent',
]);
/** Of gRPC's own keys those that are no part of the protocol itself. */
const OPEN = new Set([
  // The details of an error, as other languages send them.
  'grpc-status-details-bin',
  // gRFC A6, retries: what a server says, and what it is told.
  'grpc-retry-pushback-ms',
  'grpc-previous-rpc-attempts',
]);
const isReserved = (key: string) => RESERVED.has(key) || (key.startsWith('grpc-') && !OPEN.has(key));

/**
 * Key-value pairs that travel beside a call: header and trailer.
 *
 * Keys are lower-case. A key ending in `-bin` holds bytes, any other holds printable ASCII text; a key may have
 * several values. Bad or reserved keys and values are refused with a TypeError.
 */
export class Metadata {
  // Made when something is put in or looked for: most calls have neither header nor trailer, and a Map is dear.
  #map: Map<string, MetadataValue[]> | undefined;
  #fill: ((metadata: Metadata) => void) | undefined;
  // The map is also a clone's, and copied before the first change: most clones are only read.
  #isShared = false;

  /** For transports: what a peer sent, taken apart by `fill` when somebody first looks at it. */
  static received(fill: (metadata: Metadata) => void): Metadata {
    const metadata = new Metadata();
    metadata.#fill = fill;
    return metadata;
  }

  get #values(): Map<string, MetadataValue[]> {
    this.#map ??= new Map();
    const fill = this.#fill;
    if (fill) {
      this.#fill = undefined;
      fill(this);
    }
    return this.#map;
  }

  get #own(): Map<string, MetadataValue[]> {
    const values = this.#values;
    if (!this.#isShared) return values;
    this.#isShared = false;
    this.#map = new Map();
    for (const [key, of] of values) this.#map.set(key, [...of]);
    return this.#map;
  }

  static from(init: MetadataInit): Metadata {
    if (init instanceof Metadata) return init;
    const metadata = new Metadata();
    for (const [key, value] of Object.entries(init)) {
      for (const one of Array.isArray(value) ? value : [value]) metadata.add(key, one);
    }
    return metadata;
  }

  /** The first value of a text key. */
  get(key: string): string | undefined {
    const value = this.#values.get(key.toLowerCase())?.[0];
    return typeof value === 'string' ? value : undefined;
  }

  /** The first value of a `-bin` key. */
  getBinary(key: string): Uint8Array | undefined {
    const value = this.#values.get(key.toLowerCase())?.[0];
    return typeof value === 'string' ? undefined : value;
  }

  getAll(key: string): readonly MetadataValue[] {
    return this.#values.get(key.toLowerCase()) ?? [];
  }

  has(key: string): boolean {
    return this.#values.has(key.toLowerCase());
  }

  /** Replaces every value of the key. */
  set(key: string, value: MetadataValue): this {
    const checked = checkKey(key);
    this.#own.set(checked, [checkValue(checked, value)]);
    return this;
  }

  /** Adds one more value to the key. */
  add(key: string, value: MetadataValue): this {
    const checked = checkKey(key);
    return this.#push(checked, checkValue(checked, value));
  }

  /**
   * For transports: adds what a peer sent. Nothing throws here, since a peer's bad header must not end a
   * connection; what does not fit the rules of keys and values is left out.
   */
  addReceived(key: string, value: MetadataValue): void {
    if (!KEY.test(key) || isReserved(key)) return;
    if (key.endsWith('-bin') ? typeof value !== 'string' : typeof value === 'string') this.#push(key, value);
  }

  delete(key: string): void {
    this.#own.delete(key.toLowerCase());
  }

  /** Adds every value of `other` to this. */
  merge(other: Metadata): this {
    // A copy, since `other` may be this.
    for (const [key, value] of [...other]) this.#push(key, value);
    return this;
  }

  clone(): Metadata {
    const clone = new Metadata();
    if (!this.#map && !this.#fill) return clone;
    clone.#map = this.#values;
    clone.#isShared = this.#isShared = true;
    return clone;
  }

  /** Pairs of key and value; a key with two values comes twice. */
  *[Symbol.iterator](): IterableIterator<[key: string, value: MetadataValue]> {
    for (const [key, values] of this.#values) for (const value of values) yield [key, value];
  }

  /** Number of values. */
  get size(): number {
    if (!this.#map && !this.#fill) return 0;
    let size = 0;
    for (const values of this.#values.values()) size += values.length;
    return size;
  }

  /** The size that HTTP/2 limits: each pair counts its key, its value and 32 bytes (RFC 9113, 6.5.2). */
  get sizeBytes(): number {
    if (!this.#map && !this.#fill) return 0;
    let bytes = 0;
    for (const [key, value] of this) bytes += key.length + value.length + 32;
    return bytes;
  }

  toJSON(): Record<string, MetadataValue[]> {
    return Object.fromEntries(this.#own);
  }

  #push(key: string, value: MetadataValue): this {
    const own = this.#own;
    const values = own.get(key);
    if (values) values.push(value);
    else own.set(key, [value]);
    return this;
  }
}

function checkKey(key: string): string {
  const lower = String(key).toLowerCase();
  if (!KEY.test(lower)) throw refused(`key ${quote(key)}: 1 to 128 characters of a-z 0-9 _ - . are allowed`);
  if (isReserved(lower)) throw refused(`key ${quote(key)}: reserved for the protocol`);
  return lower;
}

function checkValue(key: string, value: MetadataValue): MetadataValue {
  const binary = key.endsWith('-bin');
  if (binary && !(value instanceof Uint8Array))
    throw refused(`key "${key}": ends in -bin, so its value must be bytes`);
  if (binary) return value;
  if (typeof value !== 'string')
    throw refused(`key "${key}": a text value is wanted (bytes go under a key ending in -bin)`);
  if (!TEXT.test(value)) throw refused(`key "${key}": printable ASCII is wanted, got ${quote(value)}`);
  return value;
}

const quote = (text: unknown) => JSON.stringify(String(text).slice(0, 80));
const refused = (text: string) => new TypeError(`metadata ${text}`);
