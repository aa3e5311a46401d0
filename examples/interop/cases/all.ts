import type { Case } from './case.js';
import {
  clientCompressedStreaming,
  clientCompressedUnary,
  serverCompressedStreaming,
  serverCompressedUnary,
} from './compression.js';
import {
  cancelAfterBegin,
  cancelAfterFirstResponse,
  specialStatusMessage,
  statusCodeAndMessage,
  timeoutOnSleepingServer,
  unimplementedMethod,
  unimplementedService,
} from './ending.js';
import { customMetadata } from './metadata.js';
import {
  clientStreaming,
  compressedClientStreaming,
  emptyStream,
  pingPong,
  serverStreaming,
} from './streaming.js';
import { compressedLargeUnary, emptyUnary, largeUnary } from './unary.js';

/** The cases of the public description by their names there. */
export const cases: Readonly<Record<string, Case>> = {
  empty_unary: emptyUnary,
  large_unary: largeUnary,
  client_streaming: clientStreaming,
  server_streaming: serverStreaming,
  ping_pong: pingPong,
  empty_stream: emptyStream,
  client_compressed_unary: clientCompressedUnary,
  server_compressed_unary: serverCompressedUnary,
  client_compressed_streaming: clientCompressedStreaming,
  server_compressed_streaming: serverCompressedStreaming,
  // Not in the description: compressed requests for servers that cannot see whether they were.
  compressed_large_unary: compressedLargeUnary,
  compressed_client_streaming: compressedClientStreaming,
  timeout_on_sleeping_server: timeoutOnSleepingServer,
  cancel_after_begin: cancelAfterBegin,
  cancel_after_first_response: cancelAfterFirstResponse,
  status_code_and_message: statusCodeAndMessage,
  special_status_message: specialStatusMessage,
  custom_metadata: customMetadata,
  unimplemented_method: unimplementedMethod,
  unimplemented_service: unimplementedService,
};
