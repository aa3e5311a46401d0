import type { Registration } from '../plugin/plugin.js';
import type { Logger } from '../rpc/log.js';
import type { Listener } from '../transport/transport.js';
import type { Gate } from './gate.js';
import type { Health } from './health.js';

export type DrainOptions = {
  readonly health: Health;
  readonly registrations: readonly Registration[];
  readonly listener: Listener;
  readonly gate: Gate;
  readonly drainMs: number;
  readonly graceMs: number;
  /** Resolves when there is no more time. */
  readonly hurry: Promise<void>;
  readonly logger: Logger;
};

/** A registry that does not answer does not keep a server from closing. */
const DEREGISTER_MS = 10_000;

/** The order in which a server leaves: every client hears of it before a call of its could be refused. */
export async function drain(options: DrainOptions): Promise<void> {
  const { health, listener, gate, drainMs, graceMs, hurry } = options;
  health.notServing();
  let isListed = true;
  const deregistered = deregister(options).then(() => {
    isListed = false;
  });
  await pause(DEREGISTER_MS, Promise.race([deregistered, hurry]));
  if (isListed) options.logger.warn('the registry still lists this server, which closes all the same');
  await pause(drainMs, hurry);
  health.end();
  const cutOff = () => {
    gate.overload?.turnAway();
    return listener.close(0);
  };
  if (graceMs === 0) return cutOff();
  await Promise.race([listener.close(graceMs), hurry.then(cutOff)]);
}

async function deregister({ registrations, logger }: DrainOptions): Promise<void> {
  const results = await Promise.allSettled(registrations.map((one) => one[Symbol.asyncDispose]()));
  for (const result of results) {
    if (result.status === 'rejected')
      logger.warn('an entry could not be removed from the registry', { error: result.reason });
  }
}

async function pause(ms: number, hurry: Promise<void>): Promise<void> {
  if (ms === 0) return;
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([
    hurry,
    new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
    }),
  ]);
  clearTimeout(timer);
}
