import assert from 'node:assert/strict';
import type { CallOptions } from 'lictor';
import { type Case, GZIP, type Peer, zeros } from './case.js';

const REQUEST_BYTES = 271_828;
const REPLY_BYTES = 314_159;

/** The large call that many cases make, each with something added to it. */
export const large = { responseSize: REPLY_BYTES, payload: zeros(REQUEST_BYTES) };

export function checkLarge(reply: { payload: { body: Uint8Array } | null }): void {
  assert.equal(reply.payload?.body.length, REPLY_BYTES);
  assert.ok(reply.payload.body.every((byte) => byte === 0));
}

export const emptyUnary: Case = async ({ test }) => {
  assert.deepEqual(await test.emptyCall({}), {});
  return undefined;
};

const largeThrough =
  (choose: (peer: Peer) => Peer['test'], options: CallOptions = {}): Case =>
  async (peer) => {
    checkLarge(await choose(peer).unaryCall(large, options));
    return undefined;
  };

export const largeUnary = largeThrough(({ test }) => test);
export const compressedLargeUnary = largeThrough(({ compressing }) => compressing, GZIP);
