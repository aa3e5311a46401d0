import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import { Status } from 'lictor';
import { type Case, collect, failsWith, stream, unfinished, zeros } from './case.js';

export const timeoutOnSleepingServer: Case = async ({ test }) => {
  const replies = test.fullDuplexCall(unfinished({ payload: zeros(27_182) }), { timeoutMs: 1 });
  await failsWith(Status.DEADLINE_EXCEEDED, collect(replies));
  return undefined;
};

export const cancelAfterBegin: Case = async ({ test }) => {
  const { signal, abort } = aborting();
  const call = test.streamingInputCall(unfinished(), { signal });
  await Promise.all([failsWith(Status.CANCELLED, call), setImmediate().then(abort)]);
  return undefined;
};

export const cancelAfterFirstResponse: Case = async ({ test }) => {
  const { signal, abort } = aborting();
  const request = { responseParameters: [{ size: 31_415 }], payload: zeros(27_182) };
  const replies = test.fullDuplexCall(unfinished(request), { signal })[Symbol.asyncIterator]();
  assert.equal((await replies.next()).value?.payload?.body.length, 31_415);
  const next = replies.next();
  abort();
  await failsWith(Status.CANCELLED, next);
  return undefined;
};

export const statusCodeAndMessage: Case = async ({ test }) => {
  const request = { responseStatus: { code: Status.UNKNOWN, message: 'test status message' } };
  const unary = await failsWith(Status.UNKNOWN, test.unaryCall(request));
  assert.equal(unary.details, 'test status message');
  const bidi = await failsWith(Status.UNKNOWN, collect(test.fullDuplexCall(stream(request))));
  assert.equal(bidi.details, 'test status message');
  return undefined;
};

/** White space, a new line and characters outside of ASCII and of the basic plane come through as they are. */
export const specialStatusMessage: Case = async ({ test }) => {
  const message = '\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n';
  const request = { responseStatus: { code: Status.UNKNOWN, message } };
  assert.equal((await failsWith(Status.UNKNOWN, test.unaryCall(request))).details, message);
  return undefined;
};

export const unimplementedMethod: Case = async ({ test }) => {
  await failsWith(Status.UNIMPLEMENTED, test.unimplementedCall({}));
  return undefined;
};

export const unimplementedService: Case = async ({ unimplemented }) => {
  await failsWith(Status.UNIMPLEMENTED, unimplemented.unimplementedCall({}));
  return undefined;
};

function aborting() {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort() };
}
