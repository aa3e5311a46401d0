import type { Engine } from '../transport.js';
import { GrpcConnection } from './connection.js';
import { listen } from './listener.js';

/** Carried by `@grpc/grpc-js`. It cannot compress replies. */
export const grpcJs: Engine = {
  name: 'grpc-js',
  connect: (options) => new GrpcConnection(options),
  listen,
};
