import type { Engine } from '../transport.js';
import { MemoryConnection } from './connection.js';
import { MemoryNetwork } from './network.js';

/**
 * A network inside this process, without sockets: calls still go through the codec, the limits and deadlines, as on
 * a wire. Two `memory()` values do not see each other; the name `'memory'` stands for one that all share.
 */
export function memory(): Engine {
  const network = new MemoryNetwork();
  return {
    name: 'memory',
    hasTls: false,
    connect: (options) => new MemoryConnection(network, options),
    listen: (options) => network.listen(options),
  };
}
