import { RpcError, textOf } from '../../../rpc/error.js';
import { Status } from '../../../rpc/status.js';

/** What a value must be: anything with `parse` that throws, or with the `~standard` of zod, valibot, arktype and others. */
export type ConfigSchema<T> = ParsingSchema<T> | StandardSchema<T>;

export interface ParsingSchema<T> {
  parse(value: unknown): T;
}

/** The part that is used of Standard Schema 1, https://standardschema.dev. */
export interface StandardSchema<T> {
  readonly '~standard': {
    readonly version: 1;
    validate(value: unknown): StandardResult<T> | Promise<StandardResult<T>>;
  };
}

export type StandardResult<T> =
  | { readonly value: T; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] };

export type StandardIssue = {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
};

const MAX_ISSUES = 5;

/** @throws TypeError when it is neither kind of schema */
export function checkSchema(schema: ConfigSchema<unknown> | undefined): void {
  if (schema === undefined || isStandard(schema)) return;
  if (typeof (schema as Partial<ParsingSchema<unknown>> | null)?.parse === 'function') return;
  throw new TypeError('schema: an object with parse(value), or a Standard Schema, is wanted');
}

/**
 * The value as the schema gives it, which may be another one: with defaults filled in, say.
 * @throws RpcError FAILED_PRECONDITION with what the schema says of it
 */
export async function validate<T>(schema: ConfigSchema<T>, value: unknown): Promise<T> {
  if (!isStandard(schema)) {
    try {
      return schema.parse(value);
    } catch (reason) {
      throw refused(textOf(reason), reason);
    }
  }
  let result: StandardResult<T>;
  try {
    result = await schema['~standard'].validate(value);
  } catch (reason) {
    throw refused(textOf(reason), reason);
  }
  if (result.issues === undefined) return result.value;
  const shown = result.issues.slice(0, MAX_ISSUES).map(issueText).join('; ');
  const more = result.issues.length - MAX_ISSUES;
  throw refused(more > 0 ? `${shown}; and ${more} more` : shown, undefined);
}

function issueText({ message, path }: StandardIssue): string {
  const at = (path ?? []).map((part) => String(typeof part === 'object' ? part.key : part)).join('.');
  return at === '' ? message : `${at}: ${message}`;
}

// Some schemas are functions.
const isStandard = <T>(schema: ConfigSchema<T>): schema is StandardSchema<T> =>
  typeof (schema as Partial<StandardSchema<T>> | null)?.['~standard']?.validate === 'function';

const refused = (why: string, cause: unknown) =>
  new RpcError(Status.FAILED_PRECONDITION, `refused by the schema: ${why.slice(0, 500)}`, {
    cause,
    maybeExecuted: false,
  });
