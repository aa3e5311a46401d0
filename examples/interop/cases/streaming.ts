import assert from 'node:assert/strict';
import type { CallOptions } from 'lictor';
import { type Case, collect, GZIP, type Peer, stream, zeros } from './case.js';

const REQUEST_SIZES = [27_182, 8, 1_828, 45_904];
const REPLY_SIZES = [31_415, 9, 2_653, 58_979];

const sizes = (replies: readonly { payload: { body: Uint8Array } | null }[]) =>
  replies.map(({ payload }) => payload?.body.length);

const clientStreamingThrough =
  (choose: (peer: Peer) => Peer['test'], options: CallOptions = {}): Case =>
  async (peer) => {
    const requests = REQUEST_SIZES.map((size) => ({ payload: zeros(size) }));
    const reply = await choose(peer).streamingInputCall(stream(...requests), options);
    assert.equal(reply.aggregatedPayloadSize, 74_922);
    return undefined;
  };

export const clientStreaming = clientStreamingThrough(({ test }) => test);
export const compressedClientStreaming = clientStreamingThrough(({ compressing }) => compressing, GZIP);

export const serverStreaming: Case = async ({ test }) => {
  const replies = await collect(
    test.streamingOutputCall({ responseParameters: REPLY_SIZES.map((size) => ({ size })) }),
  );
  assert.deepEqual(sizes(replies), REPLY_SIZES);
  return undefined;
};

export const pingPong: Case = async ({ test }) => {
  const received: (number | undefined)[] = [];
  let answered: () => void = () => {};
  async function* pings() {
    for (const [i, size] of REQUEST_SIZES.entries()) {
      const answer = new Promise<void>((resolve) => {
        answered = resolve;
      });
      yield { responseParameters: [{ size: REPLY_SIZES[i]! }], payload: zeros(size) };
      await answer;
    }
  }
  for await (const { payload } of test.fullDuplexCall(pings())) {
    received.push(payload?.body.length);
    answered();
  }
  assert.deepEqual(received, REPLY_SIZES);
  return undefined;
};

export const emptyStream: Case = async ({ test }) => {
  assert.deepEqual(await collect(test.fullDuplexCall(stream())), []);
  return undefined;
};
