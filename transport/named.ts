import { grpcJs } from './grpc-js/engine.js';
import { h2 } from './h2/engine.js';
import { memory } from './memory/engine.js';
import type { Engine } from './transport.js';

/** Every engine that has a name. */
const engines = { 'grpc-js': grpcJs, h2, memory: memory() } as const satisfies Record<string, Engine>;

export type EngineName = keyof typeof engines;

/** @throws RangeError for a name that is not in the table */
export function engineNamed(transport: EngineName | Engine): Engine {
  if (typeof transport === 'object') return transport;
  const engine = Object.hasOwn(engines, transport) ? engines[transport] : undefined;
  if (engine) return engine;
  throw new RangeError(
    `transport: one of ${Object.keys(engines).join(', ')} or an engine is wanted, got ${JSON.stringify(transport)}`,
  );
}
