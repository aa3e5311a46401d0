import type pb from 'protobufjs';
import { RpcError } from '../rpc/error.js';
import { Status } from '../rpc/status.js';
import { type Check, keyCheckOf, refuse, scalarCheckOf } from './protobuf-value.js';
import { protobufjs } from './protobufjs.js';

/** A message as protobufjs can write it: the same object when it was so already. */
type Prepare = (message: unknown, depth: number) => Record<string, unknown>;

type Fields = {
  readonly checks: readonly { readonly name: string; readonly check: Check }[];
  /** The members of every oneof with more than one. */
  readonly oneofs: readonly { readonly name: string; readonly members: readonly string[] }[];
};

const MAX_DEPTH = 100; // What protobufjs, and protobuf in other languages, will read.

const preparers = new WeakMap<pb.Type, Prepare>();

/**
 * Checks a message against its type before it is encoded, and puts numbers for enum names and what protobufjs takes
 * for bigints. Only objects with such a field are copied.
 * @throws RpcError INVALID_ARGUMENT that names message, field and value
 */
export function preparerOf(type: pb.Type): Prepare {
  let prepare = preparers.get(type);
  if (!prepare) {
    const name = type.fullName.slice(1);
    let fields: Fields | undefined; // Later, since a type may hold itself.
    prepare = (message, depth) => {
      fields ??= fieldsOf(type);
      return prepareWith(fields, name, message, depth);
    };
    preparers.set(type, prepare);
  }
  return prepare;
}

function prepareWith(
  fields: Fields,
  typeName: string,
  message: unknown,
  depth: number,
): Record<string, unknown> {
  if (typeof message !== 'object' || message === null || Array.isArray(message))
    refuse(typeName, 'an object', message);
  if (depth > MAX_DEPTH) {
    throw new RpcError(Status.INVALID_ARGUMENT, `${typeName}: nested deeper than ${MAX_DEPTH}`, {
      maybeExecuted: false,
    });
  }
  const given = message as Record<string, unknown>;
  let changed: Record<string, unknown> | undefined;
  for (let at = 0; at < fields.checks.length; at++) {
    const { name, check } = fields.checks[at]!;
    const value = given[name];
    // Only own properties: a field may be called `constructor`, and the encoder sees no others either.
    if (value === undefined || value === null || !Object.hasOwn(given, name)) continue;
    const ready = check(value, depth);
    if (ready !== value) {
      changed ??= { ...given };
      changed[name] = ready;
    }
  }
  for (const { name, members } of fields.oneofs) {
    const set = members.filter((member) => Object.hasOwn(given, member) && given[member] != null);
    if (set.length > 1) {
      throw new RpcError(
        Status.INVALID_ARGUMENT,
        `${typeName}.${name}: only one may be set, got ${set.join(' and ')}`,
        { maybeExecuted: false },
      );
    }
  }
  return changed ?? given;
}

function fieldsOf(type: pb.Type): Fields {
  return {
    checks: type.fieldsArray.map((field) => ({ name: field.name, check: checkOf(field.resolve()) })),
    oneofs: type.oneofsArray
      .filter((oneof) => oneof.oneof.length > 1)
      .map((oneof) => ({ name: oneof.name, members: oneof.oneof })),
  };
}

function checkOf(field: pb.Field): Check {
  const path = `${field.parent!.fullName.slice(1)}.${field.name}`;
  const { MapField, Type } = protobufjs();
  const { resolvedType } = field;
  let one: Check;
  if (resolvedType instanceof Type) {
    const prepare = preparerOf(resolvedType);
    one = (value, depth) => {
      if (typeof value !== 'object') refuse(path, 'an object', value);
      return prepare(value, depth + 1);
    };
  } else {
    one = scalarCheckOf(field, path);
  }
  if (field instanceof MapField) return mapCheck(path, keyCheckOf(field, path), one);
  return field.repeated ? listCheck(path, one) : one;
}

function listCheck(path: string, one: Check): Check {
  return (list, depth) => {
    if (!Array.isArray(list)) refuse(path, 'an array', list);
    let changed: unknown[] | undefined;
    for (let at = 0; at < list.length; at++) {
      const value: unknown = list[at];
      if (value === undefined || value === null) refuse(`${path}[${at}]`, 'a value', value);
      const ready = one(value, depth);
      if (ready !== value) {
        changed ??= [...list];
        changed[at] = ready;
      }
    }
    return changed ?? list;
  };
}

function mapCheck(path: string, checkKey: (key: string) => void, one: Check): Check {
  return (map, depth) => {
    if (typeof map !== 'object' || Array.isArray(map) || map instanceof Map)
      refuse(path, 'a plain object', map);
    const changed: [string, unknown][] = [];
    for (const [key, value] of Object.entries(map as object)) {
      checkKey(key);
      if (value === undefined || value === null) refuse(`${path}[${JSON.stringify(key)}]`, 'a value', value);
      const ready = one(value, depth);
      if (ready !== value) changed.push([key, ready]);
    }
    return changed.length === 0 ? map : { ...(map as object), ...Object.fromEntries(changed) };
  };
}
