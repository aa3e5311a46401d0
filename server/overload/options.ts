import { checkLimit } from '../../rpc/limit.js';

export type OverloadOptions = {
  /**
   * The longest that a call is let wait for its turn, in milliseconds, and so how much work may pile up in a burst. One
   * that has waited four times as long all the same is refused.
   * @default 250
   */
  burstMs?: number | undefined;
  /** As `burstMs`, once calls have been waiting for all of that time: too much comes, and not only at once. @default 50 */
  standingMs?: number | undefined;
  /** Calls that wait for their turn. @default 10,000 */
  maxQueued?: number | undefined;
  /** The bytes of their requests. @default 64 MiB */
  maxQueuedBytes?: number | undefined;
  /**
   * When fewer calls run at a time because they take longer than they used to: while the event loop is `busy`; `always`,
   * for a server whose handlers wait for something that can be overloaded too, such as a pool of connections; or `never`.
   * @default 'busy'
   */
  adapt?: 'busy' | 'always' | 'never' | undefined;
  /** So many calls may always run at a time. @default 20 */
  minConcurrentCalls?: number | undefined;
  /** An event loop that is late by more than this for a tenth of a second has too much to do. @default 50 */
  maxLoopDelayMs?: number | undefined;
};

export type OverloadSettings = { readonly [K in keyof OverloadOptions]-?: NonNullable<OverloadOptions[K]> };

const ADAPT = ['busy', 'always', 'never'] as const;

/** @throws RangeError or TypeError that names the option and shows the value received */
export function overloadSettings(options: OverloadOptions): OverloadSettings {
  if (typeof options !== 'object' || options === null)
    throw new TypeError(`overload: settings, or false, got ${JSON.stringify(options)}`);
  for (const name of ['burstMs', 'standingMs', 'maxQueuedBytes'] as const)
    checkLimit(`overload.${name}`, options[name], 0);
  for (const name of ['maxQueued', 'minConcurrentCalls', 'maxLoopDelayMs'] as const)
    checkLimit(`overload.${name}`, options[name], 1);
  const { adapt = 'busy' } = options;
  if (!ADAPT.includes(adapt))
    throw new RangeError(`overload.adapt: one of ${ADAPT.join(', ')}, got ${JSON.stringify(adapt)}`);
  return {
    burstMs: options.burstMs ?? 250,
    standingMs: options.standingMs ?? 50,
    maxQueued: options.maxQueued ?? 10_000,
    maxQueuedBytes: options.maxQueuedBytes ?? 64 * 1024 * 1024,
    adapt,
    minConcurrentCalls: options.minConcurrentCalls ?? 20,
    maxLoopDelayMs: options.maxLoopDelayMs ?? 50,
  };
}
