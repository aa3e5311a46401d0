import { consul } from '../../plugin/consul/consul.js';
import { silentLogger } from '../../rpc/log.js';
import { roundRobin } from '../../selector/balancer/round-robin.js';
import { balancerAlone } from '../../selector/pick-rules.js';
import { Selector } from '../../selector/selector.js';
import type { Arrived } from './arrival.js';

// A client's selector in a process of its own: argv is the agent, the service, and how many nodes will come.
const [address, service, nodes] = process.argv.slice(2) as [string, string, string];
const selector = new Selector({
  resolver: consul({ address, logger: silentLogger }),
  balancer: roundRobin(),
  rules: balancerAlone,
  logger: silentLogger,
  emptyListPolicy: 'grace',
  emptyListGraceMs: 60_000,
  isOpen: () => false,
  onGone() {},
});
const watched = selector.service(service);
await watched.watch.settled(10_000, undefined);
const before = process.cpuUsage();
process.send!('watching');
const look = setInterval(() => {
  if (watched.listed.length < Number(nodes)) return;
  clearInterval(look);
  const { user, system } = process.cpuUsage(before);
  const arrived: Arrived = { at: Date.now(), cpuMs: Math.round((user + system) / 1_000) };
  process.send!(arrived);
}, 10);
