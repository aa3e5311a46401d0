import { parseArgs } from 'node:util';
import { createDisplay } from './display.js';
import { play } from './play.js';
import { chooseRegistry } from './registry.js';

// `npm run demo`: three servers, a client that does not stop calling, and one of the servers killed meanwhile.

const { values } = parseArgs({
  options: {
    /** Uses the registry that needs no Consul, though there may be one. */
    local: { type: 'boolean', default: false },
    /** How long calls run. */
    seconds: { type: 'string', default: '9' },
  },
});

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => interrupted.abort());
// `npm run demo | head` closes it early.
process.stdout.on('error', () => interrupted.abort());

const display = createDisplay(process.stdout);
try {
  await using registry = await chooseRegistry(values.local, interrupted.signal);
  display.event(`registry: ${registry.name}`);
  display.event(`          ${registry.why}`);
  const wrong = await play(registry, Number(values.seconds) * 1_000, display, interrupted.signal);
  for (const text of wrong) console.error(`WRONG: ${text}`);
  process.exitCode = wrong.length > 0 ? 1 : 0;
} catch (error) {
  display.end();
  if (!interrupted.signal.aborted) throw error;
  console.log('interrupted; nothing of the demo is left');
  process.exitCode = 130;
}
