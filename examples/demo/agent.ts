import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasLeader } from './consul-http.js';

const START_MS = 15_000;

/** A Consul of one's own on free ports of 127.0.0.1, which keeps everything in memory. Disposing ends it. */
export async function startAgent(
  binary: string,
  signal?: AbortSignal,
): Promise<AsyncDisposable & { readonly address: string }> {
  const [http, server, serf] = await Promise.all([freePort(), freePort(), freePort()]);
  const ports = `ports { dns = -1 grpc = -1 serf_wan = -1 http = ${http} server = ${server} serf_lan = ${serf} }`;
  const settings = `${ports} performance { raft_multiplier = 1 } disable_update_check = true`;
  const args = ['agent', '-dev', '-bind=127.0.0.1', '-client=127.0.0.1', '-log-level=err', '-hcl', settings];
  const keeper = fork(new URL('./keeper.js', import.meta.url), [binary, ...args], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    // A Ctrl-C of the terminal would otherwise end the agent before those that still have to leave it.
    detached: true,
  });
  let output = '';
  for (const stream of [keeper.stdout, keeper.stderr]) {
    stream?.on('data', (text) => {
      output = `${output}${text}`.slice(-500);
    });
  }
  const gone = once(keeper, 'exit');
  const end = async () => {
    if (keeper.connected) keeper.disconnect();
    await gone;
  };

  const address = `127.0.0.1:${http}`;
  const deadline = performance.now() + START_MS;
  try {
    while (!(await hasLeader(address))) {
      if (!keeper.connected) throw new Error(`it ended: ${output.trim()}`);
      if (performance.now() > deadline) throw new Error(`it was not ready in ${START_MS} ms`);
      await sleep(50, undefined, { signal });
    }
  } catch (error) {
    await end();
    throw error;
  }
  return { address, [Symbol.asyncDispose]: end };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port is free');
  return address.port;
}
