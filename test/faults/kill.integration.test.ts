import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Client, type Resolver, type RpcError, silentLogger } from 'lictor';
import { consul } from 'lictor/plugin/consul';
import { local } from 'lictor/plugin/local';
import { grpcJs } from '../../transport/grpc-js/engine.js';
import { startConsul } from '../consul/agent.js';
import { type Attempts, openLoop, watched } from './load.js';
import { type Nodes, nodesIn } from './nodes.js';
import { Faults } from './service.js';

const CALLS_PER_SECOND = 500;
const LIMIT = { timeout: 120_000 };

/** A server dies under load, comes back on its port, and another joins. */
async function killOneOfThree(nodes: Nodes, resolver: Resolver): Promise<string> {
  const [victim, ...others] = (await Promise.all([nodes.start(), nodes.start(), nodes.start()])) as [
    string,
    string,
    string,
  ];
  const { engine, attempts, connects } = watched(grpcJs);
  await using client = new Client({ resolver, transport: engine, logger: silentLogger, timeoutMs: 30_000 });
  const faults = client.service(Faults);
  const load = openLoop(CALLS_PER_SECOND, (n) => faults.work({ n }));
  try {
    for (const address of [victim, ...others]) await until(() => attempts.picked(address) > 100);
    assert.deepEqual(load.failures, []);

    await until(() => attempts.inFlight(victim) > 0);
    const sentBefore = new Set(attempts.all);
    const inFlight = attempts.inFlight(victim);
    await nodes.kill(victim);
    // Events of the network come after this; what fails now was under way.
    await until(() => attempts.all.some(({ address, error }) => address === victim && error));
    const atFirstError = new Map([victim, ...others].map((address) => [address, attempts.picked(address)]));
    for (const address of others)
      await until(() => attempts.picked(address) > atFirstError.get(address)! + 300);
    const failed = load.failures as RpcError[];
    const between = attempts.all.filter((one) => one.address === victim && !sentBefore.has(one));
    const figures = `${failed.length} calls failed, ${inFlight} were in flight at the kill, ${between.length} picked it between kill and first error`;
    // A call written between the kill and the news of it was in flight, too; one that no server saw went elsewhere.
    assert.ok(failed.length <= inFlight + between.filter(maybeExecuted).length, figures);
    for (const error of failed) assert.equal(error.maybeExecuted, true, error.message);
    assert.equal(
      attempts.picked(victim),
      atFirstError.get(victim),
      `picked again after its first error; ${figures}`,
    );

    assert.equal(await nodes.start({ address: victim }), victim);
    const pickedBefore = attempts.picked(victim);
    await until(() => attempts.picked(victim) > pickedBefore + 100);
    assert.equal(load.failures.length, failed.length, 'a call failed when the server was back');

    const joined = await nodes.start();
    await until(() => attempts.picked(joined) > 100);
    await load.stop();
    assert.equal(attempts.all.filter(({ done }) => !done).length, 0);
    // A registry that notices the death has the connection closed, and then there is a second one.
    const again = connects.length - new Set(connects).size;
    assert.ok(again === 0 || (again === 1 && connects.filter((one) => one === victim).length === 2));
    assert.equal(new Set(connects).size, 4);
    return `${load.sent} calls, ${load.failures.length} failed; ${figures}`;
  } finally {
    await load.stop();
  }
}

const maybeExecuted = ({ error }: Attempts['all'][number]) => error?.maybeExecuted === true;

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}

test('of three servers listed in Consul one is killed: only calls in flight on it fail', LIMIT, async (t) => {
  await using agent = await startConsul();
  await using nodes = nodesIn('consul', agent.address);
  t.diagnostic(await killOneOfThree(nodes, consul({ address: agent.address, logger: silentLogger })));
});

test(
  'of three servers in the local registry one is killed: only calls in flight on it fail',
  LIMIT,
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'lictor-test-'));
    try {
      await using nodes = nodesIn('local', folder);
      t.diagnostic(await killOneOfThree(nodes, local({ folder, logger: silentLogger })));
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
);
