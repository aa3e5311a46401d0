import { RpcError } from './error.js';
import { Status } from './status.js';

const NAME = /^[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9_])?$/;

/** Whether a name may be a service's: `A-Z a-z 0-9 _ . -`, 1 to 128 characters, no `..` nor `.` or `-` at an end. */
export const isServiceName = (name: string): boolean =>
  typeof name === 'string' && name.length <= 128 && NAME.test(name) && !name.includes('..');

/**
 * Refuses what is not a service's name. The name becomes part of a registry's URL or path, where `..` would steer
 * our credentials to another endpoint and encoding does not help; so it is checked before any request, on both sides.
 */
export function checkServiceName(name: string): string {
  if (isServiceName(name)) return name;
  throw new RpcError(
    Status.INVALID_ARGUMENT,
    `service name ${JSON.stringify(String(name).slice(0, 128))}: up to 128 characters of A-Z a-z 0-9 _ . - are allowed, ` +
      'a letter or digit first, neither "." nor "-" last, and no ".."',
    { maybeExecuted: false },
  );
}
