import { BadAnswer } from '../guard.js';

/**
 * How Go reads a value out of JSON and writes it again: what is absent or null becomes the type's zero, the fields of a
 * struct get the order of its declaration. So a result looks as `consul watch` prints it, whatever the agent left out.
 */
export interface Shape<T> {
  /** @throws BadAnswer for a value of another type */
  read(value: unknown): T;
  /** Left out of its struct when it is empty. */
  readonly omitEmpty?: boolean;
}

export type ValueOf<S> = S extends Shape<infer T> ? T : never;

const shape = <T>(wanted: string, zero: T, read: (value: unknown) => T | undefined): Shape<T> => ({
  read(value) {
    const found = value === undefined || value === null ? zero : read(value);
    if (found === undefined) throw new BadAnswer(`not ${wanted} where one was expected: ${typeof value}`);
    return found;
  },
});

export const text = shape('a string', '', (value) => (typeof value === 'string' ? value : undefined));
export const flag = shape('a boolean', false, (value) => (typeof value === 'boolean' ? value : undefined));
export const integer = shape('a number', 0, (value) =>
  typeof value === 'number' || typeof value === 'bigint' ? Number(value) : undefined,
);
/** What may need all of its 64 bits. */
export const uint64 = shape('an integer', 0n, (value) =>
  typeof value === 'bigint' || Number.isSafeInteger(value) ? BigInt(value as number | bigint) : undefined,
);
/** As Go prints a duration. */
export const duration = shape('a duration', '0s', (value) => (typeof value === 'string' ? value : undefined));
/** Bytes in base64; null when there are none. */
export const bytes = shape<string | null>('a string', null, (value) =>
  typeof value === 'string' ? value : undefined,
);
export const anything: Shape<unknown> = { read: (value) => value ?? null };

export const list = <T>(item: Shape<T>): Shape<readonly T[] | null> =>
  shape<readonly T[] | null>('a list', null, (value) =>
    Array.isArray(value) ? value.map((each) => item.read(each)) : undefined,
  );

export const map = <T>(item: Shape<T>): Shape<Readonly<Record<string, T>> | null> =>
  shape<Readonly<Record<string, T>> | null>('an object', null, (value) => {
    if (!isRecord(value)) return undefined;
    const names = Object.keys(value).sort();
    // Not by assignment: a name may be "__proto__".
    return Object.fromEntries(names.map((name) => [name, item.read(value[name])]));
  });

/** Null stays null. */
export const pointer = <T>(target: Shape<T>): Shape<T | null> => ({
  read: (value) => (value === undefined || value === null ? null : target.read(value)),
});

/** A field that is left out when it is false, 0, "", null, or an empty list or map. */
export const omitEmpty = <S extends Shape<unknown>>(field: S): S & { readonly omitEmpty: true } => ({
  ...field,
  omitEmpty: true,
});

type Fields = Readonly<Record<string, Shape<unknown>>>;
type Omittable<F> = { [K in keyof F]: F[K] extends { omitEmpty: true } ? K : never }[keyof F];
export type StructOf<F extends Fields> = {
  readonly [K in Exclude<keyof F, Omittable<F>>]: ValueOf<F[K]>;
} & { readonly [K in Omittable<F>]?: NonNullable<ValueOf<F[K]>> };

/** Fields that we do not know (of a newer Consul) come last, as they are. */
export function struct<F extends Fields>(fields: F): Shape<StructOf<F>> {
  const names = Object.keys(fields);
  return {
    read(value) {
      if (value !== undefined && value !== null && !isRecord(value))
        throw new BadAnswer(`not an object where one was expected: ${typeof value}`);
      const given = value ?? {};
      const result: Record<string, unknown> = {};
      for (const name of names) {
        const field = fields[name]!;
        const found = field.read(given[name]);
        if (!field.omitEmpty || !isEmpty(found)) result[name] = found;
      }
      for (const name of Object.keys(given)) {
        if (Object.hasOwn(fields, name) || name === '__proto__') continue;
        result[name] = given[name];
      }
      return result as StructOf<F>;
    },
  };
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function isEmpty(value: unknown): boolean {
  if (!value) return true;
  if (Array.isArray(value)) return value.length === 0;
  return false;
}
