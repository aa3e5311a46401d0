import { RpcError } from '../../../rpc/error.js';
import type { Logger } from '../../../rpc/log.js';
import { Status } from '../../../rpc/status.js';
import type { Registration } from '../../plugin.js';
import type { AgentService, ServiceDefinition } from '../agent-service.js';
import { createBackoff, kindOf } from '../backoff.js';
import { systemClock } from '../changes.js';
import type { HealthApi } from '../health.js';

const MAX_DEREGISTER_MS = 5_000;
const MAX_GONE_MS = 1_000;
const POLL_MS = [10, 25, 50, 100, 200];

export type InstancesToRegister = {
  /** For messages. */
  agent: string;
  definitions: readonly ServiceDefinition[];
  /** Whether the agent waits to be told that the server lives, or finds out by itself. */
  heartbeat: boolean;
  /** From one heartbeat, or one look whether the agent still knows the server, to the next, at most. */
  beatMs: number;
  /** How long a registration may take to show, and deregistering at most (but not over 5 s), in milliseconds. */
  timeoutMs: number;
  logger: Logger;
};

/**
 * Registers all with the agent, resolves when the catalog shows them, and keeps them up: what the agent has lost (its
 * data, a server that was frozen for too long) is registered again. If one cannot be registered or seen, removes all
 * and rejects.
 */
export async function registerInstances(
  agentService: AgentService,
  health: HealthApi,
  options: InstancesToRegister,
): Promise<Registration> {
  const { definitions, timeoutMs } = options;
  const stop = new AbortController();
  const removeMs = Math.min(timeoutMs, MAX_DEREGISTER_MS);
  const deadline = AbortSignal.timeout(timeoutMs);
  const results = await Promise.allSettled(
    definitions.map(async (definition) => {
      await put(agentService, definition, options, undefined);
      if (!(await untilListed(health, definition, true, deadline))) throw hidden(options.agent, definition);
    }),
  );
  const failed = results.find((result) => result.status === 'rejected');
  if (failed) {
    await removeInstances(agentService, health, options, removeMs);
    throw failed.reason;
  }
  const kept = keepUp(agentService, options, stop.signal);
  let removed: Promise<void> | undefined;
  return {
    [Symbol.asyncDispose]() {
      stop.abort();
      // A registration under way must not come after the removal.
      removed ??= kept.then(() => removeInstances(agentService, health, options, removeMs));
      return removed;
    },
  };
}

/** One loop for all services of a server. Ends when `stop` aborts. */
async function keepUp(
  agentService: AgentService,
  options: InstancesToRegister,
  stop: AbortSignal,
): Promise<void> {
  const { definitions, beatMs, logger, agent } = options;
  const backoff = createBackoff();
  let outage: RpcError | undefined;
  let again = false;
  for (;;) {
    const pause =
      outage === undefined
        ? beatMs * (0.8 + Math.random() * 0.2)
        : backoff.pauseMs(kindOf(outage), outage, isDenied(outage) ? undefined : beatMs);
    await systemClock.sleep(pause, stop);
    if (stop.aborted) return;
    const lost: string[] = [];
    const results = await Promise.allSettled(
      definitions.map(async (definition) => {
        const known = again ? 'unknown' : await look(agentService, definition, options, stop);
        if (known === 'known' || stop.aborted) return;
        if (!again) lost.push(definition.ID);
        // Of a service that it knows Consul would keep the status.
        if (known === 'unchecked')
          await agentService.deregister(definition.ID, definition.Name, { lane: 'renewals' });
        await put(agentService, definition, options, stop);
      }),
    );
    if (stop.aborted) return;
    const failed = results.find((result) => result.status === 'rejected');
    if (!failed) {
      if (lost.length > 0) logger.warn('Consul had lost the server; it is registered again', { agent, lost });
      else if (outage !== undefined) logger.warn('Consul answers again; the server is registered', { agent });
      outage = undefined;
      backoff.reset();
      again = false;
      continue;
    }
    const error = RpcError.from(failed.reason, Status.UNAVAILABLE);
    if (outage === undefined || (isDenied(error) && !isDenied(outage))) {
      // One line per outage, not one per attempt; but what needs a person is told.
      const { details: reason } = error;
      logger.warn('cannot keep up the registration in Consul; it is tried again', { agent, reason });
    }
    // The agent goes on with the token that a service was registered with, and that one is refused now.
    again ||= isDenied(error);
    outage = error;
  }
}

const isDenied = ({ code }: RpcError) => code === Status.PERMISSION_DENIED;

/** Says that the server lives, where that is waited for, and finds out whether the agent still knows it. */
function look(
  agentService: AgentService,
  { ID, Name }: ServiceDefinition,
  { heartbeat, beatMs, agent }: InstancesToRegister,
  stop: AbortSignal,
): Promise<'known' | 'unknown' | 'unchecked'> {
  return within(beatMs, agent, ID, stop, async (signal) => {
    const sending = { signal, lane: 'renewals' } as const;
    if (heartbeat) return (await agentService.pass(ID, Name, sending)) ? 'known' : 'unknown';
    const check = await agentService.check(ID, Name, sending);
    if (!check) return 'unknown';
    // An agent that has started again takes a server for dead until it has made the check, which may be a while.
    return check.status === 'critical' && check.output === '' ? 'unchecked' : 'known';
  });
}

/** Not cut short by a stop: a registration that is under way might else come after the removal. */
async function put(
  agentService: AgentService,
  definition: ServiceDefinition,
  { heartbeat, timeoutMs, agent }: InstancesToRegister,
  stop: AbortSignal | undefined,
): Promise<void> {
  const { ID, Name } = definition;
  await within(Math.min(timeoutMs, MAX_DEREGISTER_MS), agent, ID, undefined, (signal) =>
    agentService.register(definition, { signal, ...(stop ? { lane: 'renewals' } : {}) }),
  );
  // Of a service that was there before, Consul keeps the status of the check.
  if (heartbeat && !stop?.aborted) await agentService.pass(ID, Name, { lane: 'renewals' });
}

/** A request with a deadline of its own, which a stop ends as well. */
async function within<T>(
  ms: number,
  agent: string,
  id: string,
  stop: AbortSignal | undefined,
  send: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const end = () => controller.abort();
  const timer = setTimeout(() => {
    const text = `consul at ${agent}: no answer within ${ms} ms (to keep up ${id})`;
    controller.abort(new RpcError(Status.DEADLINE_EXCEEDED, text, { maybeExecuted: false }));
  }, ms);
  stop?.addEventListener('abort', end, { once: true });
  try {
    return await send(controller.signal);
  } finally {
    clearTimeout(timer);
    stop?.removeEventListener('abort', end);
  }
}

/** Does not reject: a server that stops cannot do more than log. */
async function removeInstances(
  agentService: AgentService,
  health: HealthApi,
  { definitions, logger }: InstancesToRegister,
  timeoutMs: number,
): Promise<void> {
  const deadline = AbortSignal.timeout(timeoutMs);
  await Promise.all(
    definitions.map(async (definition) => {
      const { ID, Name } = definition;
      let error: unknown;
      for (let tried = 0; !deadline.aborted; tried++) {
        try {
          await agentService.deregister(ID, Name, { signal: deadline });
          // The agent tells the servers in its own time.
          await untilListed(health, definition, false, AbortSignal.timeout(MAX_GONE_MS)).catch(() => {});
          return;
        } catch (reason) {
          error = deadline.aborted ? (error ?? reason) : reason;
          if (error instanceof RpcError && error.code !== Status.UNAVAILABLE) break;
          await systemClock.sleep(pollMs(tried), deadline);
        }
      }
      const reason = RpcError.from(error, Status.DEADLINE_EXCEEDED).details;
      logger.error('could not deregister from Consul: the server is listed until its check fails', {
        id: ID,
        reason,
      });
    }),
  );
}

/** Whether it came to that before the deadline. Not a stale read: what the leader shows, every server will. */
async function untilListed(
  health: HealthApi,
  { ID, Name, Address, Port }: ServiceDefinition,
  listed: boolean,
  deadline: AbortSignal,
): Promise<boolean> {
  for (let tried = 0; ; tried++) {
    // In the agent's own datacenter, whichever one clients look in.
    const { entries } = await health.service(Name, { datacenter: '' });
    const found = entries.some((entry) => {
      const service = (entry as { Service?: Record<string, unknown> } | null)?.Service;
      return service?.ID === ID && service.Address === Address && service.Port === Port;
    });
    if (found === listed) return true;
    if (deadline.aborted) return false;
    await systemClock.sleep(pollMs(tried), deadline);
  }
}

const pollMs = (tried: number) => POLL_MS[Math.min(tried, POLL_MS.length - 1)]!;

/** A list that the token may not read looks empty. */
const hidden = (agent: string, { ID, Name }: ServiceDefinition) =>
  new RpcError(
    Status.PERMISSION_DENIED,
    `consul at ${agent}: ${ID} was registered but does not show; may the token read it ` +
      `(service ${JSON.stringify(Name)} { policy = "read" } and node_prefix "" { policy = "read" })?`,
    { maybeExecuted: false },
  );
