import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { consul, type ServiceCheck } from '../plugin/consul/consul.js';
import { silentLogger } from '../rpc/log.js';
import { consulBinary } from '../scripts/consul.js';
import type { Resolution } from '../selector/resolver.js';
import { startConsul } from '../test/consul/agent.js';
import { startCatalogServer } from '../test/consul/catalog-servers.js';
import { Faults } from '../test/faults/service.js';

// How long clients go on seeing a server that is gone, and wait for one that is back, in catalog mode:
// `npm run build && node dist/bench/consul-times.js [REGEX]`. Real agents on 127.0.0.1, raft_multiplier 1.

const only = new RegExp(process.argv[2] ?? '');
const rounds = 3;
const checks: Readonly<Record<string, ServiceCheck>> = {
  'TTL 10 s (the default)': { kind: 'ttl', ttlMs: 10_000 },
  'TTL 3 s': { kind: 'ttl', ttlMs: 3_000 },
  'TCP every 1 s': { kind: 'tcp', intervalMs: 1_000 },
  'gRPC every 1 s': { kind: 'grpc', intervalMs: 1_000 },
};

/** What a client is told, with the time it takes to come to a state. */
function watch(address: string) {
  const controller = new AbortController();
  const waiting = new Set<() => void>();
  let last: Resolution | undefined;
  let emptySince: number | undefined;
  let emptyMs = 0;
  void (async () => {
    for await (last of consul({ mode: 'catalog', address }).watch(Faults.name, controller.signal)) {
      const empty = last.kind === 'nodes' && last.nodes.length === 0;
      if (empty) emptySince ??= performance.now();
      else if (emptySince !== undefined) {
        emptyMs += performance.now() - emptySince;
        emptySince = undefined;
      }
      for (const wake of waiting) wake();
    }
  })();
  const until = async (fits: (resolution: Resolution) => boolean): Promise<number> => {
    const start = performance.now();
    while (!last || !fits(last)) {
      await new Promise<void>((resolve) => {
        const wake = () => {
          waiting.delete(wake);
          resolve();
        };
        waiting.add(wake);
      });
    }
    return (performance.now() - start) / 1_000;
  };
  return {
    listed: () => until((state) => state.kind === 'nodes' && state.nodes.length > 0),
    gone: () => until((state) => state.kind === 'nodes' && state.nodes.length === 0),
    /** For how long the list has been empty since this was last asked. */
    wasEmpty: () => {
      const seconds = emptyMs / 1_000;
      emptyMs = 0;
      return seconds;
    },
    failed: () => until((state) => state.kind === 'failure'),
    [Symbol.dispose]: () => controller.abort(),
  };
}

const times = new Map<string, number[]>();
const note = (what: string, seconds: number) => {
  times.set(what, [...(times.get(what) ?? []), seconds]);
  console.log(`${what}: ${seconds.toFixed(2)} s`);
};

for (const [name, check] of Object.entries(checks)) {
  if (!only.test(name)) continue;
  for (let round = 0; round < rounds; round++) {
    await using agent = await startConsul();
    using client = watch(agent.address);
    const server = await startCatalogServer(agent.address, check);
    await client.listed();
    await sleep(Math.random() * 3_000); // Anywhere between two checks.
    server.kill('SIGKILL');
    note(`${name}: crash -> not listed`, await client.gone());
    const started = performance.now();
    await using next = await startCatalogServer(agent.address, check, server.address);
    await client.listed();
    note(`${name}: started again on its port -> listed`, (performance.now() - started) / 1_000);
    await sleep(Math.random() * 3_000);
    if (check.kind !== 'tcp') {
      next.kill('SIGSTOP');
      note(`${name}: frozen -> not listed`, await client.gone());
      next.kill('SIGCONT');
      note(`${name}: runs on -> listed`, await client.listed());
    }
    for (const wipe of [false, true]) {
      await agent.kill('SIGKILL');
      await client.failed();
      client.wasEmpty();
      await agent.restart({ wipe });
      const back = `${name}: agent back ${wipe ? 'without' : 'with'} its data`;
      note(`${back} -> listed`, await client.listed());
      await sleep(3_000);
      await client.listed();
      note(`${back}: list empty for`, client.wasEmpty());
    }
  }
}

if (only.test('election')) for (let round = 0; round < rounds; round++) await election();

/** Three servers, of which the leader is killed; the client and the server are with one that stays. */
async function election(): Promise<void> {
  const binary = await consulBinary();
  const folder = mkdtempSync(join(tmpdir(), 'lictor-consul-'));
  const base = 12_000 + 10 * Math.floor(Math.random() * 1_000);
  const name = randomBytes(4).toString('hex');
  const hosts = ['127.0.0.1', '127.0.0.2', '127.0.0.3'];
  const agents = hosts.map((host) =>
    spawn(
      binary,
      [
        ...['agent', '-server', '-bootstrap-expect=3', '-disable-host-node-id', `-node=${name}-${host}`],
        ...[`-data-dir=${join(folder, host)}`, `-bind=${host}`, `-client=${host}`, '-log-level=err'],
        ...hosts.map((other) => `-retry-join=${other}:${base + 2}`),
        ...['-hcl', `performance { raft_multiplier = 1 } disable_update_check = true`],
        ...[
          '-hcl',
          `ports { dns = -1 grpc = -1 serf_wan = -1 http = ${base} server = ${base + 1} serf_lan = ${base + 2} }`,
        ],
      ],
      { stdio: 'ignore' },
    ),
  );
  const url = (host: string, path: string) => `http://${host}:${base}/v1${path}`;
  try {
    let leader = '';
    let peers = 0;
    while (leader === '' || peers < 3) {
      await sleep(100);
      leader = await fetch(url(hosts[0]!, '/status/leader')).then(
        (answer) => answer.json() as Promise<string>,
        () => '',
      );
      const raft = await fetch(url(hosts[0]!, '/operator/raft/configuration')).then(
        (answer) => answer.json(),
        () => ({}),
      );
      peers = ((raft as { Servers?: { Voter: boolean }[] }).Servers ?? []).filter(
        ({ Voter }) => Voter,
      ).length;
    }
    const leading = hosts.findIndex((host) => leader.startsWith(`${host}:`));
    const follower = `${hosts[(leading + 1) % 3]}:${base}`;
    using client = watch(follower);
    const plugin = consul({ mode: 'catalog', address: follower });
    const request = { services: [Faults.name], logger: silentLogger };
    await using _first = await plugin.init({ ...request, address: '127.0.0.1:8001' });
    await client.listed();
    const states: string[] = [];
    const controller = new AbortController();
    const told = (async () => {
      for await (const state of consul({ mode: 'catalog', address: follower }).watch(
        Faults.name,
        controller.signal,
      ))
        states.push(state.kind === 'nodes' ? `${state.nodes.length}` : 'failure');
    })();
    await sleep(500);
    states.length = 0;
    agents[leading]!.kill('SIGKILL');
    const killed = performance.now();
    const second = { ...request, address: '127.0.0.1:8002' };
    for (;;) {
      try {
        await using _second = await plugin.init(second);
        break;
      } catch {
        await sleep(50);
      }
    }
    note('election: leader killed -> a new server is listed', (performance.now() - killed) / 1_000);
    await sleep(10_000);
    controller.abort();
    await told;
    console.log(`election: a client of a follower was told: ${states.join(', ')}`);
  } finally {
    for (const agent of agents) agent.kill('SIGKILL');
    await sleep(200);
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

console.log(`\n| what | seconds, ${rounds} rounds |\n| --- | --- |`);
for (const [what, seconds] of times)
  console.log(`| ${what} | ${seconds.map((value) => value.toFixed(2)).join(', ')} |`);
process.exit();
