import {
  type handleBidiStreamingCall,
  type handleClientStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  Metadata,
  type ServerDuplexStream,
  type ServerWritableStream,
  type StatusObject,
  status,
} from '@grpc/grpc-js';
import type {
  Empty,
  ResponseParameters,
  SimpleRequest,
  SimpleResponse,
  StreamingInputCallRequest,
  StreamingInputCallResponse,
  StreamingOutputCallRequest,
  StreamingOutputCallResponse,
} from '../../../examples/interop/gen/grpc/testing/messages.js';

export const UNSEEN = 'grpc-js does not show whether a request was compressed';
export const UNCOMPRESSED = 'grpc-js cannot compress replies';

const INITIAL = 'x-grpc-test-echo-initial';
const TRAILING = 'x-grpc-test-echo-trailing-bin';

type Call = { metadata: Metadata; sendMetadata(header: Metadata): void };

const emptyCall: handleUnaryCall<Empty, Empty> = (_call, reply) => reply(null, {});

const unaryCall: handleUnaryCall<SimpleRequest, SimpleResponse> = (call, reply) => {
  const trailer = begin(call);
  const { expectCompressed, responseCompressed, responseStatus, responseSize, responseType } = call.request;
  if (expectCompressed) return reply(notPossible(UNSEEN));
  if (responseCompressed) return reply(notPossible(UNCOMPRESSED));
  if (responseStatus) return reply({ code: responseStatus.code, details: responseStatus.message });
  const payload = { type: responseType, body: Buffer.alloc(responseSize) };
  reply(null, { payload, username: '', oauthScope: '' }, trailer);
};

const streamingInputCall: handleClientStreamingCall<StreamingInputCallRequest, StreamingInputCallResponse> = (
  call,
  reply,
) => {
  const trailer = begin(call);
  let aggregatedPayloadSize = 0;
  let refused = false;
  call.on('data', ({ payload, expectCompressed }: StreamingInputCallRequest) => {
    if (expectCompressed && !refused) {
      refused = true;
      reply(notPossible(UNSEEN));
    }
    aggregatedPayloadSize += payload?.body.length ?? 0;
  });
  call.on('end', () => refused || reply(null, { aggregatedPayloadSize }, trailer));
};

const streamingOutputCall: handleServerStreamingCall<
  StreamingOutputCallRequest,
  StreamingOutputCallResponse
> = (call) => {
  const trailer = begin(call);
  if (write(call, call.request.responseParameters)) call.end(trailer);
};

const fullDuplexCall: handleBidiStreamingCall<StreamingOutputCallRequest, StreamingOutputCallResponse> = (
  call,
) => {
  const trailer = begin(call);
  call.on('data', ({ responseStatus, responseParameters }: StreamingOutputCallRequest) => {
    if (responseStatus) call.emit('error', { code: responseStatus.code, details: responseStatus.message });
    else write(call, responseParameters);
  });
  call.on('end', () => call.end(trailer));
};

/** The test service on plain grpc-js. */
export const handlers = { emptyCall, unaryCall, streamingInputCall, streamingOutputCall, fullDuplexCall };

type Output = StreamingOutputCallResponse;

/** Without regard for the reader's pace: a case's replies fit into memory. */
function write(
  call:
    | ServerWritableStream<StreamingOutputCallRequest, Output>
    | ServerDuplexStream<StreamingOutputCallRequest, Output>,
  parameters: readonly ResponseParameters[],
): boolean {
  for (const { size, compressed } of parameters) {
    if (compressed) {
      call.emit('error', notPossible(UNCOMPRESSED));
      return false;
    }
    call.write({ payload: { type: 0, body: Buffer.alloc(size) } });
  }
  return true;
}

/** Sends what is to be echoed first; returns what is to be echoed last. */
function begin(call: Call): Metadata {
  call.sendMetadata(echoed(call.metadata, INITIAL));
  return echoed(call.metadata, TRAILING);
}

function echoed(metadata: Metadata, key: string): Metadata {
  const echo = new Metadata();
  for (const value of metadata.get(key)) echo.add(key, value);
  return echo;
}

const notPossible = (reason: string): Partial<StatusObject> => ({
  code: status.UNIMPLEMENTED,
  details: `not possible: ${reason}`,
});
