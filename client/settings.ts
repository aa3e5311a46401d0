import { deadlineIn } from '../rpc/deadline.js';
import { defaultDecodedBytes } from '../rpc/decoded-limit.js';
import { checkLimit } from '../rpc/limit.js';
import { type BalancerName, balancerNamed } from '../selector/balancer/named.js';
import type { Balancer } from '../selector/balancer.js';
import { checkEjection, type EjectionOptions } from '../selector/ejection.js';
import type { PickRules } from '../selector/pick-rules.js';
import { checkRetry, type RetryOptions } from './retry.js';

/** Those of a client's options that may change while it runs. */
export type ClientSettings = {
  /** The time of a unary call that says none; streams have none unless they say one. Infinity for no limit. @default 10,000 */
  readonly timeoutMs?: number | undefined;
  /** How a node is picked: a name, or a Balancer. @default 'p2cEwma' */
  readonly balancer?: BalancerName | Balancer | undefined;
  /** The largest message sent or taken. @default 4 MiB */
  readonly maxMessageBytes?: number | undefined;
  /**
   * The most memory that a message may take once it is decoded, as it is estimated before: a message of 4 MiB can hold
   * two million empty objects. A larger one is refused with RESOURCE_EXHAUSTED. @default 16 times maxMessageBytes
   */
  readonly maxDecodedBytes?: number | undefined;
  /**
   * When calls are sent again; false for never, but for those that no server has seen. Only methods that are idempotent
   * are sent again when a server may have run them.
   */
  readonly retry?: RetryOptions | false | undefined;
  /** When nodes are left out because calls to them fail; false for never. */
  readonly ejection?: EjectionOptions | false | undefined;
  /** How long a node that has just come, or come back, takes to its full share of the calls. @default 5,000 */
  readonly slowStartMs?: number | undefined;
  /** Calls in flight at one service; more fail at once with RESOURCE_EXHAUSTED. @default Infinity */
  readonly maxInFlight?: number | undefined;
  /** Calls in flight at one node; others are picked when it has that many. @default Infinity */
  readonly maxInFlightPerNode?: number | undefined;
  /**
   * When a service refuses or fails most calls: how many are tried for each that was accepted lately, 1 or more; the
   * others fail at once with UNAVAILABLE. 2 is usual. @default false, all are tried
   */
  readonly throttle?: number | false | undefined;
};

const DEFAULTS = {
  timeoutMs: 10_000,
  balancer: 'p2cEwma',
  maxMessageBytes: 4 * 1024 * 1024,
  maxDecodedBytes: undefined,
  retry: {},
  ejection: {},
  slowStartMs: 5_000,
  maxInFlight: Number.POSITIVE_INFINITY,
  maxInFlightPerNode: Number.POSITIVE_INFINITY,
  throttle: false,
} satisfies ClientSettings;

export type AllSettings = Pick<ClientSettings, 'maxDecodedBytes'> & {
  readonly [Name in Exclude<keyof ClientSettings, 'maxDecodedBytes'>]-?: NonNullable<ClientSettings[Name]>;
};

const NAMES = Object.keys(DEFAULTS) as (keyof ClientSettings)[];

/** What is set, over what was before. */
export function settingsOver(before: AllSettings, settings: ClientSettings): AllSettings {
  const set = NAMES.filter((name) => settings[name] !== undefined).map((name) => [name, settings[name]]);
  return { ...before, ...Object.fromEntries(set) };
}

export const defaultSettings: AllSettings = DEFAULTS;

/** What a reply may take of memory; unless it is set, it follows `maxMessageBytes`. */
export const decodedBytes = ({ maxDecodedBytes, maxMessageBytes }: AllSettings): number =>
  maxDecodedBytes ?? defaultDecodedBytes(maxMessageBytes);

/** What of the settings the selector goes by. */
export const pickRules = (settings: AllSettings): PickRules => ({
  ejection: checkEjection(settings.ejection),
  slowStartMs: settings.slowStartMs,
  maxInFlight: settings.maxInFlight,
  maxInFlightPerNode: settings.maxInFlightPerNode,
  throttle: settings.throttle === false ? undefined : settings.throttle,
});

/**
 * Looks at all of them before any is used, since they may come from outside.
 * @throws RangeError or TypeError that names the setting
 */
export function checkSettings(settings: ClientSettings): void {
  if (settings.timeoutMs !== undefined) deadlineIn(settings.timeoutMs);
  checkLimit('maxMessageBytes', settings.maxMessageBytes, 1);
  checkLimit('maxDecodedBytes', settings.maxDecodedBytes, 1);
  if (settings.balancer !== undefined) balancerNamed(settings.balancer);
  checkRetry(settings.retry);
  checkEjection(settings.ejection);
  checkLimit('slowStartMs', settings.slowStartMs, 0);
  checkLimit('maxInFlight', settings.maxInFlight, 1);
  checkLimit('maxInFlightPerNode', settings.maxInFlightPerNode, 1);
  if (settings.throttle !== false) checkLimit('throttle', settings.throttle, 1);
}

/** @throws RangeError or TypeError also for a name that is no setting */
export function checkOnlySettings(settings: ClientSettings): void {
  if (typeof settings !== 'object' || settings === null) throw new TypeError('settings: an object is wanted');
  for (const name of Object.keys(settings)) {
    if ((NAMES as readonly string[]).includes(name)) continue;
    throw new RangeError(
      `setting ${JSON.stringify(name.slice(0, 64))}: unknown, there are ${NAMES.join(', ')}`,
    );
  }
  checkSettings(settings);
}
