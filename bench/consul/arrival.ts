import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { ConsulAgent } from '../../test/consul/agent.js';

export type ArrivalFigures = {
  nodes: number;
  registeredInMs: number;
  /** From the last write to the moment at which the client knows of all. */
  seenAfterMs: number;
  cpuMs: number;
  /** Of one core, over the time from the first write until all are known. */
  coreShare: number;
};

export type Arrived = { at: number; cpuMs: number };

/** What a client spends, in a process of its own, while so many nodes of a service that it watches are registered. */
export async function measureArrival(
  agent: ConsulAgent,
  nodes: number,
  withinMs: number,
): Promise<ArrivalFigures> {
  const service = 'bench.Arrival';
  const child = fork(fileURLToPath(new URL('./watcher.js', import.meta.url)), [
    agent.address,
    service,
    String(nodes),
  ]);
  try {
    await once(child, 'message'); // It watches.
    const arrived = once(child, 'message') as Promise<[Arrived]>;
    const start = Date.now();
    const writes: Promise<void>[] = [];
    for (let i = 0; i < nodes; i++) {
      const due = start + (i / nodes) * withinMs;
      if (due > Date.now()) await new Promise((resolve) => setTimeout(resolve, due - Date.now()));
      const address = `127.0.0.1:${10_000 + i}`;
      writes.push(agent.put(`${service}/${address}`, address));
    }
    await Promise.all(writes);
    const registered = Date.now();
    const [{ at, cpuMs }] = await arrived;
    return {
      nodes,
      registeredInMs: registered - start,
      seenAfterMs: Math.max(0, at - registered),
      cpuMs,
      coreShare: Math.round((cpuMs / (at - start)) * 1_000) / 1_000,
    };
  } finally {
    child.kill();
  }
}
