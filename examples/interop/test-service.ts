import { setTimeout as sleep } from 'node:timers/promises';
import { type CallContext, type Implementation, RpcError, Status, uncompressed } from 'lictor';
import { NOT_POSSIBLE } from './cases/case.js';
import {
  type BoolValue,
  type EchoStatus,
  PayloadType,
  type ResponseParameters,
} from './gen/grpc/testing/messages.js';
import { TestService } from './gen/grpc/testing/test.js';
import { type ServerFeature, serverCannot } from './not-possible.js';

const MAX_REPLY_BYTES = 4 * 1024 * 1024;
const INITIAL = 'x-grpc-test-echo-initial';
const TRAILING = 'x-grpc-test-echo-trailing-bin';

// What a server says of a method that it does not know is to be tested too, so this one is not known.
const { unimplementedCall: _, ...methods } = TestService.methods;
export const service = { ...TestService, methods };

/** The service as the public description has it, for a server over `transport`. */
export const testService = (transport: string): Implementation<typeof methods> => {
  const needs = (feature: ServerFeature) => {
    const reason = serverCannot(transport, feature);
    if (reason !== undefined) throw new RpcError(Status.UNIMPLEMENTED, NOT_POSSIBLE + reason);
  };

  async function* replies(
    parameters: readonly ResponseParameters[],
    type: PayloadType,
    context: CallContext,
  ) {
    if (parameters.some(({ compressed }) => compressed)) {
      needs('compressSomeReplies');
      context.compression = 'gzip';
    }
    for (const { size, intervalUs, compressed } of parameters) {
      if (intervalUs > 0) await sleep(intervalUs / 1_000, undefined, { signal: context.signal });
      const reply = { payload: payload(size, type) };
      yield compressed?.value ? reply : uncompressed(reply);
    }
  }

  const checkCompressed = (expected: BoolValue | null, { requestCompressed }: CallContext) => {
    if (!expected) return;
    needs('seeCompressedRequests');
    if (requestCompressed === expected.value) return;
    throw new RpcError(
      Status.INVALID_ARGUMENT,
      `compressed: ${expected.value} was wanted, it is ${requestCompressed}`,
    );
  };

  return {
    emptyCall: () => ({}),

    unaryCall(request, context) {
      echoMetadata(context);
      checkCompressed(request.expectCompressed, context);
      if (request.responseCompressed) {
        needs('compressSomeReplies');
        context.compression = request.responseCompressed.value ? 'gzip' : 'identity';
      }
      endAsAsked(request.responseStatus);
      return { payload: payload(request.responseSize, request.responseType) };
    },

    async *streamingOutputCall(request, context) {
      echoMetadata(context);
      endAsAsked(request.responseStatus);
      yield* replies(request.responseParameters, request.responseType, context);
    },

    async streamingInputCall(requests, context) {
      echoMetadata(context);
      let aggregatedPayloadSize = 0;
      for await (const { payload, expectCompressed } of requests) {
        checkCompressed(expectCompressed, context);
        aggregatedPayloadSize += payload?.body.length ?? 0;
      }
      return { aggregatedPayloadSize };
    },

    async *fullDuplexCall(requests, context) {
      echoMetadata(context);
      for await (const { responseStatus, responseParameters, responseType } of requests) {
        endAsAsked(responseStatus);
        yield* replies(responseParameters, responseType, context);
      }
    },
  };
};

function payload(sizeBytes: number, type: PayloadType) {
  if (type !== PayloadType.COMPRESSABLE)
    throw new RpcError(Status.INVALID_ARGUMENT, `payload type ${type} is not known`);
  if (sizeBytes < 0 || sizeBytes > MAX_REPLY_BYTES)
    throw new RpcError(Status.INVALID_ARGUMENT, `payload of ${sizeBytes} bytes: 0 to ${MAX_REPLY_BYTES}`);
  return { type, body: Buffer.alloc(sizeBytes) };
}

function endAsAsked(status: EchoStatus | null): void {
  if (!status || status.code === Status.OK) return;
  const code = Object.values(Status).find((known) => known === status.code) ?? Status.UNKNOWN;
  throw new RpcError(code, status.message);
}

function echoMetadata({ metadata, header, trailer }: CallContext): void {
  for (const value of metadata.getAll(INITIAL)) header.add(INITIAL, value);
  for (const value of metadata.getAll(TRAILING)) trailer.add(TRAILING, value);
}
