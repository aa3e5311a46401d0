import { setTimeout as sleep } from 'node:timers/promises';
import { Greeter } from '../helloworld/gen/helloworld.js';
import { end } from './child.js';
import { createCluster } from './cluster.js';
import type { Display } from './display.js';
import { createLiveLine } from './live.js';
import { type DemoRegistry, openRegistry } from './registry.js';
import { problems, type Role, summary } from './report.js';
import { PHASES, type Tally } from './tally.js';

const CALLERS = 12;

/** Runs the demo for `ms` and tells it on the display. Returns what went wrong. */
export async function play(
  registry: DemoRegistry,
  ms: number,
  display: Display,
  signal: AbortSignal,
): Promise<readonly string[]> {
  await using cluster = createCluster(registry.args, signal);
  const pause = (part: number) => sleep(ms * part, undefined, { signal });

  const [a, b, c] = await Promise.all([
    cluster.startServer('A'),
    cluster.startServer('B'),
    cluster.startServer('C'),
  ]);
  display.event(`servers: ${[a, b, c].map(({ name, address }) => `${name} ${address}`).join('  ')}`);

  const servers = ['A', 'B', 'C'];
  const line = createLiveLine();
  let killed: string | undefined;
  let onProgress = (_: Tally) => {};
  const client = cluster.startClient(CALLERS, (report) => {
    if (report.kind !== 'progress') return;
    display.progress(line(report.tally, servers, killed));
    onProgress(report.tally);
  });
  /** A busy machine may take long to start a process, so what is shown next waits for its answers. */
  const answersOf = (names: readonly string[]) =>
    Promise.race([
      new Promise<void>((resolve) => {
        onProgress = ({ answers }) => {
          if (names.every((name) => PHASES.some((phase) => answers[phase][name]))) resolve();
        };
      }),
      client.next('done'), // Rejects when the client ends.
    ]);
  display.event(`client: ${CALLERS} calls under way at any time, in turn over all servers`);
  await answersOf(servers);
  await pause(0.3);

  client.order({ kind: 'kill', pid: b.child.pid ?? 0, address: b.address });
  const { underWay } = await client.next('killed');
  killed = b.name;
  display.event(`B KILLED (SIGKILL): its connection broke with ${underWay} calls under way`);
  await pause(0.1);
  const stays = (await listed(registry, signal)).includes(b.address);
  display.event(
    stays ? 'Consul still lists B, since nobody removed its key;' : 'the registry lists B no more;',
  );
  display.event('the client leaves B out by itself since the connection broke');
  await pause(0.2);

  const d = await cluster.startServer('D');
  servers.push('D');
  display.event(`D JOINED at ${d.address}: listed, and called from now on`);
  await answersOf([d.name]);
  await pause(0.4);

  client.order({ kind: 'stop' });
  const { tally } = await client.next('done');
  display.end();
  const roles: Role[] = [
    { ...a, role: 'stayed' },
    { ...b, role: 'killed' },
    { ...c, role: 'stayed' },
    { ...d, role: 'joined' },
  ];
  const wrong = [...problems(tally, roles)];
  for (const text of ['', ...summary(tally, roles), '']) console.log(text);

  await Promise.all(
    [a, c, d].map(async ({ name, child }) => {
      const code = await end(child, 'SIGTERM');
      if (code !== 0) wrong.push(`server ${name} was asked to end and ended with ${code}`);
    }),
  );
  const left = await listed(registry, signal);
  if (left.length > 0)
    display.event(`cleaning up: only the key of B (${left.join(', ')}) is still there, and is removed`);
  return wrong;
}

/** The addresses that the registry lists now. */
async function listed(registry: DemoRegistry, signal: AbortSignal): Promise<readonly string[]> {
  for await (const now of openRegistry(registry.args).watch(Greeter.name, signal)) {
    if (now.kind === 'failure') throw now.error;
    return now.nodes.map(({ address }) => address);
  }
  return [];
}
