import type pb from 'protobufjs';
import { RpcError } from '../rpc/error.js';
import { Status } from '../rpc/status.js';
import { protobufjs } from './protobufjs.js';

/** Takes a value that is neither undefined nor null, gives what protobufjs can write, or refuses it. */
export type Check = (value: unknown, depth: number) => unknown;

/** @throws RpcError INVALID_ARGUMENT always: `helloworld.HelloRequest.msg: wanted a string, got the number 5` */
export function refuse(path: string, wanted: string, value: unknown): never {
  throw new RpcError(Status.INVALID_ARGUMENT, `${path}: wanted ${wanted}, got ${described(value)}`, {
    maybeExecuted: false,
  });
}

function described(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return `the string ${JSON.stringify(value.slice(0, 40))}`;
    case 'number':
    case 'bigint':
    case 'boolean':
      return `the ${typeof value} ${String(value).slice(0, 40)}`;
    case 'object':
      if (value === null) return 'null';
      return Array.isArray(value)
        ? 'an array'
        : `an object (${String(value.constructor?.name ?? 'no prototype')})`;
    default:
      return typeof value;
  }
}

/** The check of one value of a field that holds no message. */
export function scalarCheckOf(field: pb.Field, path: string): Check {
  const { Enum } = protobufjs();
  if (field.resolvedType instanceof Enum) return enumCheck(field.resolvedType, path);
  switch (field.type) {
    case 'int32':
    case 'sint32':
    case 'sfixed32':
      return integerCheck(path, 'a whole number of 32 bits', -0x8000_0000, 0x7fff_ffff);
    case 'uint32':
    case 'fixed32':
      return integerCheck(path, 'a whole number of 32 bits, from 0', 0, 0xffff_ffff);
    case 'int64':
    case 'sint64':
    case 'sfixed64':
      return bigintCheck(path, 'a bigint of 64 bits', -(2n ** 63n), 2n ** 63n - 1n, false);
    case 'uint64':
    case 'fixed64':
      return bigintCheck(path, 'a bigint of 64 bits, from 0', 0n, 2n ** 64n - 1n, true);
    case 'float':
    case 'double':
      return typeCheck(path, 'number', 'a number');
    case 'bool':
      return typeCheck(path, 'boolean', 'a boolean');
    case 'string':
      return stringCheck(path);
    case 'bytes':
      return (value) => (value instanceof Uint8Array ? value : refuse(path, 'a Uint8Array', value));
    default:
      throw new RpcError(Status.UNIMPLEMENTED, `${path}: no way to write the type ${field.type}`);
  }
}

/** The check of a map's key; in JavaScript all of them are strings. */
export function keyCheckOf(field: pb.MapField, path: string): (key: string) => void {
  if (field.keyType === 'string') return () => {};
  if (field.keyType === 'bool') {
    return (key) => {
      if (key !== 'true' && key !== 'false') refuse(`${path} key`, 'true or false', key);
    };
  }
  const { Field } = protobufjs();
  const check = scalarCheckOf(new Field('key', 1, field.keyType), `${path} key`);
  return (key) => {
    if (!/^-?\d{1,20}$/.test(key)) refuse(`${path} key`, 'a whole number', key);
    check(field.keyType.endsWith('64') ? BigInt(key) : Number(key), 0);
  };
}

function typeCheck(path: string, type: 'number' | 'boolean', wanted: string): Check {
  return (value) => (typeof value === type ? value : refuse(path, wanted, value));
}

function stringCheck(path: string): Check {
  return (value) => {
    if (typeof value !== 'string') refuse(path, 'a string', value);
    // A lone surrogate has no UTF-8, and readers refuse the whole message for it. (ES2024, in Node since 20.0.)
    if (!(value as string & { isWellFormed(): boolean }).isWellFormed()) {
      refuse(path, 'a string without lone surrogates', value);
    }
    return value;
  };
}

function integerCheck(path: string, wanted: string, min: number, max: number): Check {
  return (value) =>
    typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max
      ? value
      : refuse(path, wanted, value);
}

/** protobufjs knows no bigint: a safe integer becomes a number, which it writes without a Long. */
function bigintCheck(path: string, wanted: string, min: bigint, max: bigint, unsigned: boolean): Check {
  const { Long } = protobufjs().util;
  return (value) => {
    if (typeof value === 'bigint' && value >= min && value <= max) {
      const number = Number(value);
      return Number.isSafeInteger(number)
        ? number
        : new Long(Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n)), unsigned);
    }
    return Number.isSafeInteger(value) && (!unsigned || (value as number) >= 0)
      ? value
      : refuse(path, wanted, value);
  };
}

function enumCheck(type: pb.Enum, path: string): Check {
  const closed = featuresOf(type).enum_type === 'CLOSED';
  return (value) => {
    if (typeof value === 'string' && Object.hasOwn(type.values, value)) return type.values[value];
    if (
      typeof value === 'number' &&
      (value | 0) === value &&
      (!closed || type.valuesById[value] !== undefined)
    ) {
      return value;
    }
    const names = Object.keys(type.values);
    const shown = names.length > 10 ? `${names.slice(0, 10).join(', ')}, ...` : names.join(', ');
    return refuse(path, `a number or name of ${type.name} (${shown})`, value);
  };
}

/** protobufjs keeps the resolved features of a reflected object in a property that its types do not list. */
export const featuresOf = (object: pb.ReflectionObject): Readonly<Record<string, unknown>> =>
  (object as unknown as { _features: Record<string, unknown> })._features;
