import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { end, tied } from './child.js';
import { hasLeader } from './consul-http.js';

const START_MS = 15_000;

/** A Consul of its own on 127.0.0.1, on free ports; it keeps everything in memory. Disposing ends it. */
export async function startAgent(
  binary: string,
  signal?: AbortSignal,
): Promise<AsyncDisposable & { readonly address: string }> {
  const [http, server, serf] = await Promise.all([freePort(), freePort(), freePort()]);
  const ports = `ports { dns = -1 grpc = -1 serf_wan = -1 http = ${http} server = ${server} serf_lan = ${serf} }`;
  const settings = `${ports} performance { raft_multiplier = 1 } disable_update_check = true`;
  const args = ['agent', '-dev', '-bind=127.0.0.1', '-client=127.0.0.1', '-log-level=err', '-hcl', settings];
  const child = tied(spawn(binary, args, { stdio: ['ignore', 'pipe', 'pipe'] }));
  let output = '';
  const keep = (text: Buffer) => {
    output = `${output}${text}`.slice(-500);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  child.once('error', (error) => keep(Buffer.from(error.message)));

  const address = `127.0.0.1:${http}`;
  const deadline = performance.now() + START_MS;
  try {
    while (!(await hasLeader(address))) {
      if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) {
        throw new Error(`it ended: ${output.trim()}`);
      }
      if (performance.now() > deadline) throw new Error(`it was not ready in ${START_MS} ms`);
      await sleep(50, undefined, { signal });
    }
  } catch (error) {
    if (child.pid !== undefined) await end(child);
    throw error;
  }
  return { address, [Symbol.asyncDispose]: async () => void (await end(child)) };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port is free');
  return address.port;
}
