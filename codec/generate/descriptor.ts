type Json = Record<string, unknown>;

/** The options that change how a message is read or written, or how a method is called. */
const KEPT = /^(packed|default|proto3_optional|json_name|features(\..*)?|idempotency_level)$/;

/** Extensions of these declare custom options, which say nothing about messages. */
export const isCustomOption = (extended: string) => /^\.?(google\.protobuf\.)?\w+Options$/.test(extended);

/** A file's descriptor without what is of no use at run time: custom options and their declarations. */
export function cleanDescriptor(descriptor: object): object {
  const from = descriptor as Json;
  const to: Json = {};
  for (const [key, value] of Object.entries(from)) {
    if (key === 'parsedOptions' || key === 'valuesOptions') continue;
    if (key === 'options') {
      const options = Object.entries(value as Json).filter(([name]) => KEPT.test(name));
      if (options.length > 0) to[key] = Object.fromEntries(options);
    } else if (key === 'nested' || key === 'fields' || key === 'methods') {
      const entries = Object.entries(value as Record<string, Json>).filter(
        ([, { extend }]) => !isExtension(extend),
      );
      to[key] = Object.fromEntries(entries.map(([name, inner]) => [name, cleanDescriptor(inner)]));
    } else {
      to[key] = value;
    }
  }
  return to;
}

const isExtension = (extended: unknown) => typeof extended === 'string' && isCustomOption(extended);
