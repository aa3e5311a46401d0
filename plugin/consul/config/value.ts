import { formatJson, parseJson } from '../../../codec/safe-json.js';
import { RpcError } from '../../../rpc/error.js';
import { Status } from '../../../rpc/status.js';
import { lossOf } from './loss.js';

/** Consul's own limit. */
export const MAX_VALUE_BYTES = 512 * 1024;

/**
 * How bytes are read. `auto`: what begins with `{`, `[` or `"` is JSON and must be whole; numbers, true, false and null
 * are those; anything else is text.
 */
export type ValueForm = 'auto' | 'json' | 'text' | 'bytes';

const FORMS: readonly unknown[] = ['auto', 'json', 'text', 'bytes'] satisfies ValueForm[];

/** @throws RangeError */
export function checkForm(form: ValueForm | undefined): void {
  if (form === undefined || FORMS.includes(form)) return;
  throw new RangeError(`as: 'auto', 'json', 'text' or 'bytes', got ${JSON.stringify(form)}`);
}

/**
 * A string as its text, bytes as they are, everything else as JSON.
 * @throws RpcError INVALID_ARGUMENT for what JSON has no text for, wholly or in part, or more than Consul takes
 */
export function encodeValue(value: unknown, key: string): string | Uint8Array {
  if (value === undefined) throw bad(key, 'undefined cannot be put; to remove the key, delete it');
  const body = typeof value === 'string' || value instanceof Uint8Array ? value : jsonOf(value, key);
  const bytes = Buffer.byteLength(body);
  if (bytes > MAX_VALUE_BYTES)
    throw bad(key, `a value takes up to ${MAX_VALUE_BYTES} bytes, this has ${bytes}`);
  return body;
}

function jsonOf(value: unknown, key: string): Uint8Array {
  const body = formatJson(value, key);
  const loss = lossOf(value);
  if (loss) throw bad(key, loss);
  return body;
}

/** @throws RpcError FAILED_PRECONDITION for bytes that are not of this form */
export function decodeValue(bytes: Buffer, form: ValueForm): unknown {
  switch (form) {
    case 'bytes':
      return Buffer.from(bytes);
    case 'text':
      return textFrom(bytes);
    case 'json':
      return jsonFrom(bytes);
    case 'auto': {
      const text = textFrom(bytes);
      return LOOKS_JSON.test(text) ? jsonFrom(bytes) : text;
    }
  }
}

/** A JSON text, from its first letter; or, for what has no brackets, the whole of it. */
const LOOKS_JSON = /^\s*(?:[{["]|(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?)\s*$)/;

const strictUtf8 = new TextDecoder('utf-8', { fatal: true });

function textFrom(bytes: Buffer): string {
  try {
    return strictUtf8.decode(bytes);
  } catch (cause) {
    throw new RpcError(Status.FAILED_PRECONDITION, "not UTF-8; read it with as: 'bytes'", {
      cause,
      maybeExecuted: false,
    });
  }
}

function jsonFrom(bytes: Buffer): unknown {
  try {
    return parseJson(bytes, 'value');
  } catch (cause) {
    // What the parser says repeats a piece of the value, which may be a secret.
    throw new RpcError(Status.FAILED_PRECONDITION, "not JSON, or nested too deep; read it with as: 'text'", {
      cause,
      maybeExecuted: false,
    });
  }
}

/** The way to one field: `'pool.size'`, or a list, for names that have dots. An index of an array is a number. */
export type FieldPath = string | readonly (string | number)[];

/** @throws TypeError */
export function checkField(at: FieldPath | undefined): readonly string[] {
  if (at === undefined) return [];
  const names: readonly unknown[] = typeof at === 'string' ? at.split('.') : at;
  if (Array.isArray(names) && names.length > 0) {
    const texts = names.map((name) => (typeof name === 'number' ? String(name) : name));
    if (texts.every((name): name is string => typeof name === 'string' && name !== '')) return texts;
  }
  throw new TypeError(`at: names with dots between, or a list of names, got ${JSON.stringify(at)}`);
}

/** Undefined when there is no such field; inherited ones are none. */
export function fieldOf(value: unknown, names: readonly string[]): unknown {
  let inner = value;
  for (const name of names) {
    if (typeof inner !== 'object' || inner === null || !Object.hasOwn(inner, name)) return undefined;
    if (Array.isArray(inner) && !/^\d+$/.test(name)) return undefined;
    inner = (inner as Readonly<Record<string, unknown>>)[name];
  }
  return inner;
}

const bad = (key: string, why: string) =>
  new RpcError(Status.INVALID_ARGUMENT, `${JSON.stringify(key)}: ${why}`, { maybeExecuted: false });
