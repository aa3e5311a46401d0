import type { Engine } from '../transport.js';
import { H2Connection } from './client.js';
import { listen } from './server.js';

/** Our own HTTP/2 and gRPC on sockets. */
export const h2: Engine = {
  name: 'h2',
  connect: (options) => new H2Connection(options),
  listen,
};
