import { setTimeout as sleep } from 'node:timers/promises';
import { type ConsulAgent, freePorts, type Ports, startConsul } from './agent.js';

/** Several servers on 127.0.0.1 that elect one of them. */
export interface ConsulCluster extends AsyncDisposable {
  readonly servers: readonly ConsulAgent[];
  /** The server that leads, as the others see it; waits for an election. */
  leader(): Promise<ConsulAgent>;
}

const ELECTION_TIMEOUT_MS = 30_000;

/** Resolves when all servers may vote: one that has just joined does not count when the leader is lost. */
export async function startConsulCluster(size = 3): Promise<ConsulCluster> {
  const ports: Ports[] = [];
  while (ports.length < size) {
    const found = await freePorts();
    const taken = ports.flatMap((other) => Object.values(other));
    if (!Object.values(found).some((port) => taken.includes(port))) ports.push(found);
  }
  const join = ports.map(({ serf }) => serf);
  const servers = await Promise.all(ports.map((own) => startConsul({ cluster: { ports: own, join } })));

  async function leader(): Promise<ConsulAgent> {
    const deadline = performance.now() + ELECTION_TIMEOUT_MS;
    while (performance.now() < deadline) {
      for (const server of servers.filter(({ pid }) => pid !== 0)) {
        const address = await server.request('GET', '/status/leader').catch(() => undefined);
        const at = ports.findIndex((own) => address === `127.0.0.1:${own.server}`);
        if (at >= 0 && servers[at]!.pid !== 0) return servers[at]!;
      }
      await sleep(25);
    }
    throw new Error(`no leader within ${ELECTION_TIMEOUT_MS} ms`);
  }

  async function untilAllVote(): Promise<void> {
    for (;;) {
      const raft = (await (
        await leader()
      )
        .request('GET', '/operator/raft/configuration')
        .catch(() => undefined)) as { Servers: { Voter: boolean }[] } | undefined;
      if (raft?.Servers.filter(({ Voter }) => Voter).length === size) return;
      await sleep(50);
    }
  }

  const stop = async () => {
    await Promise.all(servers.map((server) => server.stop()));
  };
  try {
    await untilAllVote();
  } catch (error) {
    await stop();
    throw error;
  }
  return { servers, leader, [Symbol.asyncDispose]: stop };
}
