import { availableParallelism } from 'node:os';
import { type Address, formatAddress, parseAddress } from '../../rpc/address.js';

/** How many processes serve: `'cores'` for as many as can run at once. */
export type WorkerCount = number | 'cores';

const MAX_WORKERS = 256;
const MAX_PORT = 65_535;

/** @throws RangeError that shows the value received */
export function countOf(workers: WorkerCount): number {
  const count = workers === 'cores' ? Math.min(availableParallelism(), MAX_WORKERS) : workers;
  if (Number.isInteger(count) && count >= 1 && count <= MAX_WORKERS) return count;
  const shown = typeof workers === 'string' ? JSON.stringify(workers) : String(workers);
  throw new RangeError(`workers: a whole number from 1 to ${MAX_WORKERS}, or 'cores', got ${shown}`);
}

/**
 * The address of a worker: its number is added to the port, but to 0, where each takes a free one.
 * @throws RangeError when it can have none of its own
 */
export function addressOf(number: number, address: string): string {
  const parsed = parseAddress(address);
  if (parsed.kind === 'unix') {
    throw new RangeError(`workers: each needs a port of its own, and ${JSON.stringify(address)} has none`);
  }
  return parsed.port === 0 ? address : formatAddress(shifted(parsed, number));
}

/** What a worker lists instead of its address: a port is shifted like that of the address. */
export function advertiseOf(number: number, advertise: string): string {
  let parsed: Address;
  try {
    parsed = parseAddress(advertise);
  } catch {
    return advertise; // Only a host, which gets the port listened on; or nonsense, of which the server tells.
  }
  return parsed.kind === 'unix' || parsed.port === 0 ? advertise : formatAddress(shifted(parsed, number));
}

function shifted(address: Address & { kind: 'tcp' }, number: number): Address {
  const port = address.port + number;
  if (port <= MAX_PORT) return { ...address, port };
  throw new RangeError(
    `workers: worker ${number} of ${formatAddress(address)} would have port ${port}, and ${MAX_PORT} is the last`,
  );
}
