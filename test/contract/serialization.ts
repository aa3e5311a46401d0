import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Serialization } from '../../codec/serialization.js';
import { RpcError } from '../../rpc/error.js';
import type { MessageType } from '../../rpc/service.js';
import { Status } from '../../rpc/status.js';

export type SerializationCase = {
  readonly serialization: Serialization;
  /** A type of messages `{ name: string, count: number, list: string[] }`. */
  readonly type: MessageType;
  /** Bytes that are no message. */
  readonly malformed: Uint8Array;
  /** A value that it cannot write. */
  readonly unwritable: unknown;
  /** A message whose keys an attacker chose, as bytes: one of them is `__proto__`. */
  readonly poisoned: Uint8Array;
};

/** What every serialization promises to transports, clients and servers. */
export function serializationContract(
  name: string,
  { serialization, type, malformed, unwritable, poisoned }: SerializationCase,
): void {
  const message = fc.record(
    {
      name: fc.string({ unit: 'grapheme' }),
      count: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
      list: fc.array(fc.string({ unit: 'grapheme' })),
    },
    { noNullPrototype: true },
  );

  describe(`${name} as a serialization`, () => {
    const codec = serialization.codecFor(type);

    test('has a name for users and a subtype for the wire', () => {
      assert.match(serialization.name, /^[a-z][a-z0-9-]*$/);
      assert.match(serialization.subtype, /^[a-z][a-z0-9-]*$/);
    });

    test('gives back the message that was written', () => {
      fc.assert(fc.property(message, (given) => assert.deepEqual(codec.decode(codec.encode(given)), given)));
    });

    test('reads from any Uint8Array, also one that is a part of a buffer', () => {
      const given = { name: 'a', count: 1, list: ['b'] };
      const bytes = codec.encode(given);
      const room = new Uint8Array(bytes.length + 7);
      room.set(bytes, 3);
      assert.deepEqual(codec.decode(room.subarray(3, 3 + bytes.length)), given);
    });

    test('does not write over bytes it gave before', () => {
      const first = codec.encode({ name: 'first', count: 1, list: [] });
      const copy = Uint8Array.from(first);
      codec.encode({ name: 'other', count: 2, list: ['x'] });
      assert.deepEqual(Uint8Array.from(first), copy);
    });

    test('does not change the message it writes', () => {
      const given = Object.freeze({ name: 'a', count: 1, list: Object.freeze(['b']) });
      codec.encode(given);
      assert.deepEqual(given, { name: 'a', count: 1, list: ['b'] });
    });

    test('refuses malformed bytes with INTERNAL', () => {
      assert.throws(() => codec.decode(malformed), hasCode(Status.INTERNAL));
    });

    test('answers any bytes with a message or an RpcError', () => {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
          try {
            codec.decode(bytes);
          } catch (error) {
            assert.ok(error instanceof RpcError, String(error));
          }
        }),
        { numRuns: 2_000 },
      );
    });

    test('refuses what it cannot write with INVALID_ARGUMENT, and writes on afterwards', () => {
      assert.throws(() => codec.encode(unwritable), hasCode(Status.INVALID_ARGUMENT));
      const given = { name: 'a', count: 1, list: ['b'] };
      assert.deepEqual(codec.decode(codec.encode(given)), given);
    });

    test('lets no message reach a prototype', () => {
      let read: unknown;
      try {
        read = codec.decode(poisoned);
      } catch (error) {
        assert.ok(error instanceof RpcError, String(error));
      }
      assert.equal(({} as Record<string, unknown>).polluted, undefined);
      assert.equal((Object.assign({}, read) as Record<string, unknown>).polluted, undefined);
    });
  });
}

export const hasCode = (code: Status, text?: string | RegExp) => (error: unknown) => {
  assert.ok(error instanceof RpcError, String(error));
  assert.equal(error.code, code, error.message);
  if (typeof text === 'string') assert.ok(error.details.includes(text), error.details);
  else if (text) assert.match(error.details, text);
  return true;
};
