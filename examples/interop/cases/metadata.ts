import assert from 'node:assert/strict';
import type { CallOptions, Metadata } from 'lictor';
import { type Case, collect, stream } from './case.js';
import { large } from './unary.js';

const INITIAL = 'x-grpc-test-echo-initial';
const TRAILING = 'x-grpc-test-echo-trailing-bin';

export const customMetadata: Case = async ({ test }) => {
  await echoes((options) => test.unaryCall(large, options));
  const request = { responseParameters: [{ size: large.responseSize }], payload: large.payload };
  await echoes((options) => collect(test.fullDuplexCall(stream(request), options)));
  return undefined;
};

async function echoes(call: (options: CallOptions) => Promise<unknown>): Promise<void> {
  const received: { header?: Metadata; trailer?: Metadata } = {};
  await call({
    metadata: { [INITIAL]: 'test_initial_metadata_value', [TRAILING]: Buffer.from('ababab', 'hex') },
    onHeader: (header) => {
      received.header = header;
    },
    onTrailer: (trailer) => {
      received.trailer = trailer;
    },
  });
  assert.equal(received.header?.get(INITIAL), 'test_initial_metadata_value');
  const bytes = received.trailer?.getBinary(TRAILING);
  assert.equal(bytes && Buffer.from(bytes).toString('hex'), 'ababab');
}
