import pb from 'protobufjs';

/** What a message or enum, of this file or another, is called in the module being written. */
export type Refer = (object: pb.Type | pb.Enum) => string;

/** @param declared for its comments @param resolved for the types of its fields */
export function messageText(name: string, declared: pb.Type, resolved: pb.Type, refer: Refer): string {
  const lines = resolved.fieldsArray.flatMap((field) => {
    const from = declared.fields[field.name];
    return [
      ...docOf(from?.comment, from?.options?.deprecated, '  '),
      `  ${fieldText(field.resolve(), refer)};`,
    ];
  });
  const doc = docOf(declared.comment, declared.options?.deprecated, '');
  const body = lines.length === 0 ? '{}' : `{\n${lines.join('\n')}\n}`;
  return [...doc, `export interface ${name} ${body}`].join('\n');
}

/** The constants of an enum, and its type: open, since a newer peer may send numbers that are not in the file. */
export function enumText(name: string, declared: pb.Enum): string {
  const lines = Object.entries(declared.values).flatMap(([key, value]) => [
    ...docOf(declared.comments?.[key], undefined, '  '),
    `  ${key}: ${value},`,
  ]);
  return [
    ...docOf(declared.comment, declared.options?.deprecated, ''),
    `export const ${name} = {`,
    ...lines,
    '} as const;',
    `export type ${name} = (typeof ${name})[keyof typeof ${name}] | (number & {});`,
  ].join('\n');
}

function fieldText(field: pb.Field, refer: Refer): string {
  const type = valueType(field, refer);
  if (field instanceof pb.MapField) return `${field.name}: Record<string, ${type}>`;
  if (field.repeated) return `${field.name}: ${type}[]`;
  if (field.partOf) return `${field.name}?: ${type}`;
  return field.resolvedType instanceof pb.Type ? `${field.name}: ${type} | null` : `${field.name}: ${type}`;
}

function valueType(field: pb.Field, refer: Refer): string {
  if (field.resolvedType) return refer(field.resolvedType);
  switch (field.type) {
    case 'string':
      return 'string';
    case 'bool':
      return 'boolean';
    case 'bytes':
      return 'Uint8Array';
    case 'int64':
    case 'uint64':
    case 'sint64':
    case 'fixed64':
    case 'sfixed64':
      return 'bigint';
    default:
      return 'number';
  }
}

/** A comment of the .proto as a doc comment, in lines; none when there is nothing to say. */
export function docOf(comment: string | null | undefined, deprecated: unknown, indent: string): string[] {
  const lines = (comment ?? '')
    .replaceAll('*/', '*\\/')
    .split('\n')
    .filter((line, at, all) => line !== '' || (at > 0 && at < all.length - 1));
  if (deprecated === true) lines.push('@deprecated');
  if (lines.length === 0) return [];
  if (lines.length === 1) return [`${indent}/** ${lines[0]} */`];
  return [`${indent}/**`, ...lines.map((line) => `${indent} * ${line}`.trimEnd()), `${indent} */`];
}
