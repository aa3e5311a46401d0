import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { Client } from 'lictor';

/** A server in a process of its own that tells `process.cpuUsage()` when it is sent anything, and a client of it. */
export type Side = { readonly child: ChildProcess; readonly client: Client; readonly usPerCall: number[] };

/** @param program says its address by its first message */
export async function startSide(program: string, arg: string, execPath = process.execPath): Promise<Side> {
  const child = fork(program, [arg], { execPath });
  const [address] = (await once(child, 'message')) as [string];
  return { child, client: new Client({ target: address }), usPerCall: [] };
}

export async function stopSide({ child, client }: Side): Promise<void> {
  await client.close();
  child.kill();
}

const IN_FLIGHT = 100;

/** Calls so many times. @returns the server's CPU time of each, in microseconds */
export async function cpuPerCall(
  { child }: Side,
  calls: number,
  call: () => Promise<unknown>,
): Promise<number> {
  const before = await cpuUs(child);
  let left = calls;
  const loop = async () => {
    while (left-- > 0) await call();
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, loop));
  return ((await cpuUs(child)) - before) / calls;
}

async function cpuUs(child: ChildProcess): Promise<number> {
  child.send('usage');
  const [{ user, system }] = (await once(child, 'message')) as [NodeJS.CpuUsage];
  return user + system;
}
