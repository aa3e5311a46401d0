import assert from 'node:assert/strict';
import { Status } from 'lictor';
import { type Case, collect, failsWith } from './case.js';
import { checkLarge, large } from './unary.js';

const YES = { value: true };
const NO = { value: false };
const UNSEEN = 'whether a reply was compressed does not show to the client';

export const clientCompressedUnary: Case = async ({ test, compressing }) => {
  // The probe: a server that can see it refuses a request that only says it is compressed.
  await failsWith(Status.INVALID_ARGUMENT, test.unaryCall({ ...large, expectCompressed: YES }));
  checkLarge(await compressing.unaryCall({ ...large, expectCompressed: YES }));
  checkLarge(await test.unaryCall({ ...large, expectCompressed: NO }));
  return undefined;
};

/** Listed so that it is reported: one stream with a compressed and an uncompressed request is more than the API has. */
export const perMessageCompression: Case = async () => {
  throw new Error('a client compresses all of its requests or none');
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
