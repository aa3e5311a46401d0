import { RpcError, textOf } from '../../../rpc/error.js';
import { Status } from '../../../rpc/status.js';
import { type ConfigSchema, checkSchema, validate } from './schema.js';
import { checkField, checkForm, decodeValue, type FieldPath, fieldOf, type ValueForm } from './value.js';

/** From the bytes under a key to what the program wants of them. */
export type ReadingOptions<T> = {
  /** @default 'auto': JSON where it looks like it, else text */
  as?: ValueForm | undefined;
  /** One field of a JSON value: `'pool.size'`, or `['pool', 'size']`. @default the whole value */
  at?: FieldPath | undefined;
  /** What the value, or the field, must be: anything with `parse`, or a Standard Schema (zod, valibot, arktype). */
  schema?: ConfigSchema<T> | undefined;
};

/** Undefined when the value has no such field. Rejects with an RpcError FAILED_PRECONDITION that names the path. */
export type Reading<T> = (bytes: Buffer, path: string) => Promise<T | undefined>;

/** @throws TypeError or RangeError for options that cannot be meant */
export function readingOf<T>({ as = 'auto', at, schema }: ReadingOptions<T>): Reading<T> {
  checkForm(as);
  checkSchema(schema);
  const names = checkField(at);
  if (names.length > 0 && (as === 'text' || as === 'bytes'))
    throw new TypeError(`at: a value read as ${as} has no fields`);
  return async (bytes, path) => {
    try {
      const value = fieldOf(decodeValue(bytes, as), names);
      if (value === undefined) return undefined;
      // Without a schema the type is the caller's word.
      return schema === undefined ? (value as T) : await validate(schema, value);
    } catch (reason) {
      const where = names.length > 0 ? `${path}, field ${names.join('.')}` : path;
      const text = reason instanceof RpcError ? reason.details : textOf(reason);
      throw new RpcError(Status.FAILED_PRECONDITION, `value of ${JSON.stringify(where)}: ${text}`, {
        cause: reason,
        maybeExecuted: false,
      });
    }
  };
}
