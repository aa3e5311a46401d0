import { setTimeout as sleep } from 'node:timers/promises';
import { ConsulConfig } from '../../plugin/consul/config.js';
import { silentLogger } from '../../rpc/log.js';
import type { ConsulAgent } from '../../test/consul/agent.js';
import { countingProxy } from '../../test/consul/counting-proxy.js';

/** How the watches stand to each other. */
export type Crowd =
  /** All of one path, so that they share one request. */
  | 'one path'
  /** Each of a key of its own, one of which changes. */
  | 'a path each'
  /** All of one path, but each with a request of its own, as in as many processes. */
  | 'a request each';

export type ChangeFigures = {
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
  changes: number;
  connections: number;
};

/** Changes follow each other at this distance, since a watch asks again 50 ms after a change at the earliest. */
const PAUSE_MS = 100;

/** From the moment at which a write is sent to the moment at which a handler has its value. */
export async function measureChange(
  agent: ConsulAgent,
  crowd: Crowd,
  watchers: number,
  changes: number,
): Promise<ChangeFigures> {
  await using proxy = await countingProxy(agent.address);
  const prefix = `change-${crowd.replaceAll(' ', '-')}`;
  const latencies: number[] = [];
  let sentAt = 0;
  let missing = 0;
  let done = () => {};
  const keyOf = (i: number) => (crowd === 'a path each' ? `key-${i % watchers}` : 'key');
  const configs: ConsulConfig[] = [];
  for (let i = 0; i < watchers; i++) await agent.put(`${prefix}/${keyOf(i)}`, '-1');

  for (let i = 0; i < watchers; i++) {
    if (crowd === 'a request each' || i === 0) {
      const config = new ConsulConfig({ address: proxy.address, prefix, logger: silentLogger });
      if (crowd === 'a request each') config.reset(); // What has been reset shares with nobody.
      configs.push(config);
    }
    const watch = configs.at(-1)!.watch<number>(keyOf(i), ({ kind, previous }) => {
      if (kind !== 'set' || previous === undefined) return;
      latencies.push(performance.now() - sentAt);
      if (--missing === 0) done();
    });
    await watch.settled;
  }
  await sleep(500);
  for (let change = 0; change < changes; change++) {
    missing = crowd === 'a path each' ? 1 : watchers;
    const all = new Promise<void>((resolve) => {
      done = resolve;
    });
    sentAt = performance.now();
    await Promise.all([agent.put(`${prefix}/${keyOf(change)}`, String(change)), all]);
    await sleep(PAUSE_MS);
  }
  for (const config of configs) await config[Symbol.asyncDispose]();
  latencies.sort((a, b) => a - b);
  const quantile = (share: number) => round(latencies[Math.ceil(share * latencies.length) - 1]!);
  return {
    p50Ms: quantile(0.5),
    p99Ms: quantile(0.99),
    maxMs: quantile(1),
    changes,
    connections: proxy.most,
  };
}

const round = (ms: number) => Math.round(ms * 10) / 10;
