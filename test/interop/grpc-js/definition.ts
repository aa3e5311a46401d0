import { join } from 'node:path';
import type { ServiceDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { root } from '../../../scripts/root.js';

const loaded = loadSync('grpc/testing/test.proto', {
  includeDirs: [join(root, 'examples/interop/proto')],
  defaults: true,
});

/** The services as plain grpc-js and its own loader have them. */
export const TestService = loaded['grpc.testing.TestService'] as ServiceDefinition;
export const UnimplementedService = loaded['grpc.testing.UnimplementedService'] as ServiceDefinition;
