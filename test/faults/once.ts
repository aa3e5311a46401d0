import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, RpcError } from 'lictor';
import { fixed } from 'lictor/plugin/fixed';
import { nodesIn } from './nodes.js';
import { Faults } from './service.js';

export type OnceOptions = {
  readonly calls: number;
  /** A server is killed, and started again, every so often. */
  readonly killEveryMs: number;
};

/**
 * Calls of a method that is not idempotent, each with a number of its own, to three servers of which one after the other
 * is killed; all retries on. Servers write down each call that they begin, before they answer it.
 * @returns figures for people
 * @throws AssertionError when a call has run twice, has succeeded without having run, or is said not to have run and has
 */
export async function runOnce({ calls, killEveryMs }: OnceOptions): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'lictor-test-'));
  const journal = join(folder, 'journal');
  try {
    await using nodes = nodesIn('none', '', { journal, behaviour: { workMs: 5 } });
    const servers = await Promise.all([nodes.start(), nodes.start(), nodes.start()]);
    await using client = new Client({ resolver: fixed(servers), timeoutMs: 10_000, retry: { attempts: 5 } });
    const faults = client.service(Faults);
    const outcomes = new Map<number, RpcError | undefined>();
    let kills = 0;
    let isDone = false;
    const killing = (async () => {
      while (!isDone) {
        await sleep(killEveryMs);
        const victim = servers[kills++ % servers.length]!;
        await nodes.kill(victim);
        await nodes.start({ address: victim });
      }
    })();
    let next = 0;
    const caller = async () => {
      while (next < calls) {
        const n = next++;
        const outcome = await faults.work({ n }).then(() => undefined, RpcError.from);
        outcomes.set(n, outcome);
        // With no server left for a moment the calls would all be over in no time.
        if (outcome) await sleep(10);
      }
    };
    await Promise.all(Array.from({ length: 20 }, caller));
    isDone = true;
    await killing;
    const begun = readFileSync(journal, 'utf8').trim().split('\n').map(Number);
    const times = new Map<number, number>();
    for (const n of begun) times.set(n, (times.get(n) ?? 0) + 1);
    const twice = [...times].filter(([, count]) => count > 1);
    assert.deepEqual(twice, [], 'calls that ran twice');
    const failed = [...outcomes].filter(([, error]) => error);
    for (const [n, error] of outcomes) {
      if (!error) assert.equal(times.get(n), 1, `call ${n} succeeded and has not run`);
      else if (!error.maybeExecuted) assert.equal(times.get(n), undefined, `call ${n} ran: ${error.message}`);
    }
    assert.equal(outcomes.size, calls);
    const ran = failed.filter(([n]) => times.has(n)).length;
    return `${calls} calls, ${kills} kills, ${failed.length} failed, of which ${ran} had run; none ran twice`;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
