import { deadlineIn } from '../rpc/deadline.js';
import { checkLimit } from '../rpc/limit.js';
import { type BalancerName, balancerNamed } from '../selector/balancer/named.js';
import type { Balancer } from '../selector/balancer.js';

/** Those of a client's options that may change while it runs. They mean what they mean in ClientOptions. */
export type ClientSettings = {
  readonly timeoutMs?: number | undefined;
  readonly balancer?: BalancerName | Balancer | undefined;
  readonly maxMessageBytes?: number | undefined;
};

export type AllSettings = { readonly [Name in keyof ClientSettings]-?: NonNullable<ClientSettings[Name]> };

const KNOWN: readonly string[] = [
  'timeoutMs',
  'balancer',
  'maxMessageBytes',
] satisfies (keyof ClientSettings)[];

/**
 * Looks at all of them before any is used, since they may come from outside.
 * @throws RangeError or TypeError that names the setting
 */
export function checkSettings(settings: ClientSettings): void {
  if (typeof settings !== 'object' || settings === null) throw new TypeError('settings: an object is wanted');
  for (const name of Object.keys(settings)) {
    if (KNOWN.includes(name)) continue;
    throw new RangeError(
      `setting ${JSON.stringify(name.slice(0, 64))}: unknown, there are ${KNOWN.join(', ')}`,
    );
  }
  if (settings.timeoutMs !== undefined) deadlineIn(settings.timeoutMs);
  checkLimit('maxMessageBytes', settings.maxMessageBytes, 1);
  if (settings.balancer !== undefined) balancerNamed(settings.balancer);
}
