import type pb from 'protobufjs';
import {
  ARRAY,
  BIGINT,
  BUFFER,
  ELEMENTS,
  MOST_GROWTH,
  NUMBER,
  objectCost,
  SLOT,
  stringCost,
  TABLE_ENTRY,
  VIEW,
} from './heap-cost.js';
import type { JsonExtra } from './json-price.js';
import { protobufjs } from './protobufjs.js';

/** What a type's messages cost once they are decoded, as Lictor gives them to its users. */
export interface TypeCosts {
  /** A message without a field, its defaults included. */
  readonly empty: number;
  /** Whether it is one of Google's types whose JSON is a plain value. */
  readonly isPlainInJson: boolean;
  /** The most heap that one byte of its content can cost. */
  mostPerByte: number;
  /** By number. */
  readonly fields: readonly (FieldCosts | undefined)[];
}

export interface FieldCosts {
  /** Of one value; that of several in a packed field is 0, 1 or 5. */
  readonly wireType: number;
  readonly isPackable: boolean;
  readonly holds: 'number' | 'string' | 'bytes' | 'message' | 'entry';
  /** Of one value, without the bytes of a text and the fields of a message. */
  readonly each: number;
  /** Of a message, or of a map's entry. */
  readonly inner: TypeCosts | undefined;
  /** Of the key of a map, by which an object may have to make room: how it is written. */
  readonly key: 'text' | 'number' | 'zigzag' | undefined;
}

const known = new WeakMap<pb.Type, TypeCosts>();

function costsOf(type: pb.Type): TypeCosts {
  const found = known.get(type);
  if (found) return found;
  const fields: (FieldCosts | undefined)[] = [];
  const isPlainInJson = PLAIN_IN_JSON.test(type.fullName);
  const costs: TypeCosts = { empty: emptyCost(type), isPlainInJson, mostPerByte: UNKNOWN, fields };
  known.set(type, costs); // Before its fields, since a type may hold itself.
  for (const field of type.fieldsArray) fields[field.id] = fieldCosts(field.resolve());
  return costs;
}

const PLAIN_IN_JSON = /^\.google\.protobuf\.(Duration|FieldMask|Timestamp|\w*Value)$/;

/** Until all types that a type holds are known. */
const UNKNOWN = -1;

/** The costs of a type and of all that it holds, complete. */
export function completeCosts(type: pb.Type): TypeCosts {
  const root = costsOf(type);
  if (root.mostPerByte !== UNKNOWN) return root;
  for (const costs of reachable(root)) {
    let most = 2; // Of a text.
    for (const { fields } of reachable(costs)) {
      fields.forEach((field) => {
        most = Math.max(most, field ? dearest(field) : 0);
      });
    }
    costs.mostPerByte = Math.ceil(most);
  }
  return root;
}

/**
 * What JSON of such a message costs beside its own objects and arrays: an object becomes a message of any type below this
 * one, and a value bytes, a bigint, or a message of one of Google's types, whose JSON is a plain value.
 */
export function jsonExtraOf(type: pb.Type): JsonExtra {
  const root = costsOf(type);
  const below = new Set(root.fields.flatMap((field) => (field?.inner ? [...reachable(field.inner)] : [])));
  let perObject = 0;
  let perValue = 0;
  for (const { isPlainInJson, empty } of below) {
    if (isPlainInJson) perValue = Math.max(perValue, empty + 2 * SLOT);
    else perObject = Math.max(perObject, empty);
  }
  for (const { fields } of [root, ...below]) {
    fields.forEach((field) => {
      if (field && !field.inner && field.each >= BIGINT) perValue = Math.max(perValue, field.each);
    });
  }
  return { perObject, perValue };
}

function reachable(costs: TypeCosts, seen = new Set<TypeCosts>()): Set<TypeCosts> {
  if (seen.has(costs)) return seen;
  seen.add(costs);
  costs.fields.forEach((field) => {
    if (field?.inner) reachable(field.inner, seen);
  });
  return seen;
}

function dearest({ each, holds, key, isPackable, wireType }: FieldCosts): number {
  const most = each + (key ? MOST_GROWTH : 0);
  // A text of two bytes is the dearest. Tag and length take a byte each, and a number at least one.
  if (holds === 'string') return (most + stringCost(2)) / 4;
  return most / (isPackable ? sizeOf(wireType) : wireType === 2 ? 2 : 1 + sizeOf(wireType));
}

/** In bytes; of a varint the least. */
export const sizeOf = (wireType: number): number => (wireType === 1 ? 8 : wireType === 5 ? 4 : 1);

function emptyCost(type: pb.Type): number {
  const fields = type.fieldsArray.map((field) => field.resolve()).filter((field) => !field.partOf);
  let cost = objectCost(fields.length);
  for (const field of fields) {
    if (field.map) cost += objectCost(0);
    else if (field.repeated) cost += ARRAY + ELEMENTS;
    else if (field.type === 'bytes') cost += BUFFER;
    else if (field.long) cost += BIGINT;
  }
  return cost;
}

function fieldCosts(field: pb.Field): FieldCosts {
  const { MapField, Type } = protobufjs();
  const { resolvedType } = field;
  if (field instanceof MapField) return entryCosts(field);
  const place = field.repeated ? SLOT : field.partOf ? 2 * SLOT : 0;
  if (!(resolvedType instanceof Type)) {
    const costs = scalarCosts(typeOf(field), field.repeated, place);
    // The price of an empty message has one of these already, as the default.
    return place === 0 && hasDearDefault(field) ? { ...costs, each: 0 } : costs;
  }
  const inner = costsOf(resolvedType);
  return { ...MESSAGE, wireType: field.delimited ? 3 : 2, each: place + inner.empty, inner };
}

const hasDearDefault = (field: pb.Field): boolean => field.type === 'bytes' || field.long;

const MESSAGE = { isPackable: false, holds: 'message', key: undefined } as const;

const typeOf = ({ resolvedType, type }: pb.FieldBase): string => (resolvedType ? 'int32' : type); // Enums are numbers.

/** An entry of a map is a message with a key and a value, on the wire. */
function entryCosts(field: pb.MapField): FieldCosts {
  const { resolvedType } = field;
  const { Type } = protobufjs();
  const key = { ...scalarCosts(field.keyType, false, 0), key: keyOf(field.keyType) };
  // An entry without a value has an empty message, so that it is in the price of the entry.
  const value: FieldCosts =
    resolvedType instanceof Type
      ? { ...MESSAGE, wireType: 2, each: 0, inner: costsOf(resolvedType) }
      : scalarCosts(typeOf(field), false, 0);
  const inner: TypeCosts = {
    empty: 0,
    isPlainInJson: false,
    mostPerByte: UNKNOWN,
    fields: [undefined, key, value],
  };
  return {
    wireType: 2,
    isPackable: false,
    holds: 'entry',
    each: TABLE_ENTRY + (value.inner?.empty ?? 0),
    inner,
    key: undefined,
  };
}

const keyOf = (type: string): FieldCosts['key'] =>
  type === 'string' ? 'text' : type.startsWith('sint') ? 'zigzag' : 'number';

function scalarCosts(type: string, isRepeated: boolean, place: number): FieldCosts {
  const { types } = protobufjs();
  const wireTypes: Readonly<Record<string, number>> = types.basic;
  return {
    wireType: wireTypes[type]!,
    isPackable: isRepeated && type in types.packed,
    holds: type === 'string' || type === 'bytes' ? type : 'number',
    each: place + valueCost(type, isRepeated),
    inner: undefined,
    key: undefined,
  };
}

function valueCost(type: string, isRepeated: boolean): number {
  switch (type) {
    case 'bytes':
      return VIEW;
    case 'int64':
    case 'uint64':
    case 'sint64':
    case 'fixed64':
    case 'sfixed64':
      return BIGINT;
    case 'double':
    case 'float':
    case 'uint32':
    case 'fixed32':
      return isRepeated ? 0 : NUMBER; // In an array they are side by side.
    default:
      return 0; // A small integer or a boolean; what a text takes depends on its length.
  }
}
