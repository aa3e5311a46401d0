import type { MethodDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { PROTO, SERVICE } from './service.js';

/** The service for the stacks that take grpc-js's definitions: paths and codecs by method. */
export const definition = () =>
  loadSync(PROTO)[SERVICE] as unknown as Record<
    'Say' | 'Carry' | 'Count' | 'Chat',
    // biome-ignore lint/suspicious/noExplicitAny: what proto-loader makes has no types
    MethodDefinition<any, any>
  >;
