import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { end, ended, tied } from '../demo/child.js';
import { findConsul } from '../demo/consul.js';

// Runs server.ts and client.ts with the Consul that is there, or with one that lives as long as this program.
// They need none of this: with a Consul on 127.0.0.1:8500 each can be run by hand.

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

const found = await findConsul();
if (found.kind === 'none') {
  console.error(`this example needs Consul: ${found.why}`);
  process.exit(1);
}
await using consul = found;
console.log(`Consul at ${consul.address} (${consul.why})`);

/** Starts a program of this folder; its lines are printed as they come. */
function run(file: string) {
  const program = tied(
    spawn(process.execPath, ['--enable-source-maps', fileURLToPath(new URL(file, import.meta.url))], {
      env: { ...process.env, CONSUL_HTTP_ADDR: consul.address },
      stdio: ['ignore', 'pipe', 'inherit'],
    }),
  );
  const lines = createInterface({ input: program.stdout });
  lines.on('line', (line) => console.log(line));
  return { program, lines };
}

const server = run('./server.js');
await Promise.race([once(server.lines, 'line'), ended(server.program, 'the server')]);
const client = run('./client.js');
const [code] = await once(client.program, 'close');
// Asked to end, the server leaves Consul before it goes.
await end(server.program, 'SIGTERM');
process.exitCode = code === 0 ? 0 : 1;
