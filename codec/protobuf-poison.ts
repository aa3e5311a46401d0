import type pb from 'protobufjs';
import { protobufjs } from './protobufjs.js';

type Drop = (message: Record<string, unknown>) => void;

/**
 * Takes the key `__proto__` out of the decoded maps of a type, at any depth. As decoded it is a plain property, but
 * the first `Object.assign` or deep merge would make a peer's value the prototype of another object.
 * Undefined for types that hold no map with string keys, which is decided once.
 */
export function poisonDropperOf(type: pb.Type): Drop | undefined {
  return holdsStringMap(type, new Set()) ? dropperOf(type) : undefined;
}

const droppers = new WeakMap<pb.Type, Drop>();

function dropperOf(type: pb.Type): Drop {
  let drop = droppers.get(type);
  if (!drop) {
    let fields: { name: string; drop: (value: unknown) => void }[] | undefined; // Later, since a type may hold itself.
    drop = (message) => {
      fields ??= type.fieldsArray.flatMap((field) => {
        const inner = fieldDropper(field.resolve());
        return inner ? [{ name: field.name, drop: inner }] : [];
      });
      for (const field of fields) {
        if (Object.hasOwn(message, field.name)) field.drop(message[field.name]);
      }
    };
    droppers.set(type, drop);
  }
  return drop;
}

function fieldDropper(field: pb.Field): ((value: unknown) => void) | undefined {
  const { MapField, Type } = protobufjs();
  const { resolvedType } = field;
  const inner =
    resolvedType instanceof Type && holdsStringMap(resolvedType, new Set())
      ? dropperOf(resolvedType)
      : undefined;
  const one = (value: unknown) => {
    if (value !== null) inner?.(value as Record<string, unknown>);
  };
  if (field instanceof MapField) {
    const poisonable = field.keyType === 'string';
    if (!poisonable && !inner) return undefined;
    return (map) => {
      if (poisonable) Reflect.deleteProperty(map as object, '__proto__');
      if (inner) Object.values(map as object).forEach(one);
    };
  }
  if (!inner) return undefined;
  return field.repeated ? (list) => (list as unknown[]).forEach(one) : one;
}

function holdsStringMap(type: pb.Type, seen: Set<pb.Type>): boolean {
  if (seen.has(type)) return false;
  seen.add(type);
  const { MapField, Type } = protobufjs();
  return type.fieldsArray.some((field) => {
    const { resolvedType } = field.resolve();
    if (field instanceof MapField && field.keyType === 'string') return true;
    return resolvedType instanceof Type && holdsStringMap(resolvedType, seen);
  });
}
