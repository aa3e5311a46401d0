import assert from 'node:assert/strict';
import { Status, uncompressed } from 'lictor';
import { type Case, collect, failsWith, GZIP, stream, zeros } from './case.js';
import { checkLarge, large } from './unary.js';

const YES = { value: true };
const NO = { value: false };
const UNSEEN = 'whether a reply was compressed does not show to the client';

export const clientCompressedUnary: Case = async ({ test, compressing }) => {
  // The probe: a server that can see it refuses a request that only says it is compressed.
  await failsWith(Status.INVALID_ARGUMENT, test.unaryCall({ ...large, expectCompressed: YES }));
  checkLarge(await compressing.unaryCall({ ...large, expectCompressed: YES }, GZIP));
  checkLarge(await test.unaryCall({ ...large, expectCompressed: NO }));
  return undefined;
};

export const clientCompressedStreaming: Case = async ({ test, compressing }) => {
  const compressed = { payload: zeros(27_182), expectCompressed: YES };
  await failsWith(Status.INVALID_ARGUMENT, test.streamingInputCall(stream(compressed)));
  const plain = uncompressed({ payload: zeros(45_904), expectCompressed: NO });
  assert.deepEqual(await compressing.streamingInputCall(stream(compressed, plain), GZIP), {
    aggregatedPayloadSize: 73_086,
  });
  return undefined;
};

export const serverCompressedUnary: Case = async ({ test }) => {
  checkLarge(await test.unaryCall({ ...large, responseCompressed: YES }));
  checkLarge(await test.unaryCall({ ...large, responseCompressed: NO }));
  return UNSEEN;
};

export const serverCompressedStreaming: Case = async ({ test }) => {
  const responseParameters = [
    { compressed: YES, size: 31_415 },
    { compressed: NO, size: 92_653 },
  ];
  const replies = await collect(test.streamingOutputCall({ responseParameters }));
  assert.deepEqual(
    replies.map(({ payload }) => payload?.body.length),
    [31_415, 92_653],
  );
  return UNSEEN;
};
