import fc from 'fast-check';
import type { HpackDecoder } from '../../../transport/h2/hpack-decoder.js';
import type { HpackEncoder } from '../../../transport/h2/hpack-encoder.js';

export const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/\s/g, ''), 'hex');

/** The dynamic table, newest entry first. */
export function entries({ table }: HpackDecoder | HpackEncoder): string[] {
  return Array.from({ length: table.count }, (_, at) => `${table.name(62 + at)}: ${table.value(62 + at)}`);
}

/** Text of any bytes. */
export const ofBytes = (constraints: fc.IntArrayConstraints = {}): fc.Arbitrary<string> =>
  fc.uint8Array(constraints).map((bytes) => Buffer.from(bytes).toString('latin1'));

const name = fc.oneof(
  fc.constantFrom(
    ':path',
    ':status',
    'content-type',
    'authorization',
    'grpc-timeout',
    'trace-bin',
    'x-a',
    'x-b',
  ),
  ofBytes({ maxLength: 20 }),
);
const value = fc.oneof(
  fc.constantFrom('', '200', '/', 'application/grpc', 'a-value', 'another-value', 'v'.repeat(200)),
  ofBytes({ maxLength: 300 }),
);

/** Lists of fields, of which many repeat. */
export const fieldLists: fc.Arbitrary<string[]> = fc
  .array(fc.tuple(name, value), { maxLength: 12 })
  .map((fields) => fields.flat());
