// A program whose server has workers: each of its processes runs this, and notes its end in a journal.
import { appendFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Server } from 'lictor';
import { local } from 'lictor/plugin/local';
import { Faults } from '../../faults/service.js';
import type { ProgramOptions } from './programs.js';
import { Workers } from './service.js';

const { folder, journal, workers, ...options } = JSON.parse(process.argv[2]!) as ProgramOptions;
const server = new Server({ drainMs: 0, ...options, plugins: [local({ folder })] });
const who = () => ({ pid: process.pid, first: process.ppid, worker: server.worker ?? null });
server.registerService(Workers, {
  who,
  async hold({ ms }) {
    await sleep(ms);
    return who();
  },
});
server.registerService(Faults, {
  async work({ n }) {
    await sleep(20);
    return { n };
  },
});
appendFileSync(`${journal}.pids`, `${process.pid}\n`);
process.on('exit', (code) => appendFileSync(journal, `${server.worker ?? 'first'} ${code}\n`));

try {
  await server.serve({ workers });
} catch (error) {
  if (process.env.LICTOR_WORKER === undefined) process.send!({ failed: String(error) });
  throw error;
}
if (server.worker === undefined) {
  let address = '';
  try {
    address = server.address;
  } catch (error) {
    address = String(error);
  }
  process.send!({ address, addresses: server.addresses });
  process.on('message', () => {
    process.send!({ addresses: server.addresses });
  });
  process.once('message', async (told) => {
    if (told !== 'close') return;
    await server.close();
    process.disconnect();
  });
}
