import assert from 'node:assert/strict';
import { RpcError, type ServiceClient, Status, statusName } from 'lictor';
import type { TestService, UnimplementedService } from '../gen/grpc/testing/test.js';

/** The server under test, as cases call it. */
export type Peer = {
  readonly test: ServiceClient<(typeof TestService)['methods']>;
  /** The same service, for calls that ask for compression: not every transport has it in every client. */
  readonly compressing: ServiceClient<(typeof TestService)['methods']>;
  readonly unimplemented: ServiceClient<(typeof UnimplementedService)['methods']>;
};

/** Throws when the peer does other than it should. May return what of the case does not show on this side. */
export type Case = (peer: Peer) => Promise<string | undefined>;

/** What begins the text of an UNIMPLEMENTED by which a server says that it cannot take part in a case. */
export const NOT_POSSIBLE = 'not possible: ';

/** The text of such an error; undefined for any other. */
export const notPossible = (error: unknown): string | undefined =>
  error instanceof RpcError && error.code === Status.UNIMPLEMENTED && error.details.startsWith(NOT_POSSIBLE)
    ? error.details
    : undefined;

export const GZIP = { compression: 'gzip' } as const;

export const zeros = (sizeBytes: number) => ({ body: Buffer.alloc(sizeBytes) });

/** @returns the error, for more to be asked of it */
export async function failsWith(code: Status, call: Promise<unknown>): Promise<RpcError> {
  const error = await call.then(
    () => assert.fail(`${statusName(code)} was wanted, and the call succeeded`),
    (reason: unknown) => reason,
  );
  if (!(error instanceof RpcError) || notPossible(error)) throw error;
  assert.equal(error.status, statusName(code), error.message);
  return error;
}

export async function collect<T>(replies: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const reply of replies) all.push(reply);
  return all;
}

/** Requests that are there at once. */
export async function* stream<T>(...requests: readonly T[]): AsyncGenerator<T, void> {
  yield* requests;
}

/** The requests, and then a stream that is left open. */
export async function* unfinished<T>(...requests: readonly T[]): AsyncGenerator<T, void> {
  yield* requests;
  await new Promise(() => {});
}
