import { consul } from '../../plugin/consul/consul.js';
import { silentLogger } from '../../rpc/log.js';
import type { ConsulAgent } from '../../test/consul/agent.js';
import { countingProxy } from '../../test/consul/counting-proxy.js';

export type SubscriberFigures = {
  subscribers: number;
  /** Open while all of them wait for a change. */
  connections: number;
  /** From the write of a node until the last of them has it. */
  allToldMs: number;
};

/** Many who watch one service, each with a plugin of its own, in one process. */
export async function measureSubscribers(
  agent: ConsulAgent,
  subscribers: number,
): Promise<SubscriberFigures> {
  await using proxy = await countingProxy(agent.address);
  const service = 'bench.Subscribers';
  const stops = Array.from({ length: subscribers }, () => new AbortController());
  const watches = stops.map(({ signal }) => {
    const plugin = consul({ address: proxy.address, logger: silentLogger });
    return plugin.watch(service, signal)[Symbol.asyncIterator]();
  });
  await Promise.all(watches.map((watch) => watch.next()));
  const all = Promise.all(watches.map((watch) => watch.next()));
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const start = performance.now();
  await agent.put(`${service}/127.0.0.1:8000`, '127.0.0.1:8000');
  await all;
  const allToldMs = Math.round((performance.now() - start) * 10) / 10;
  const connections = proxy.most;
  for (const stop of stops) stop.abort();
  return { subscribers, connections, allToldMs };
}
