import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

const START_TIMEOUT_MS = 20_000;
const RUN_TIMEOUT_MS = 120_000;

export type Command = { file: string; args: readonly string[]; env: NodeJS.ProcessEnv };

/** A server in a process of its own, to be killed by whoever started it. */
export interface ServerProcess {
  /** `127.0.0.1:<port>` */
  readonly address: string;
  /** What it has said is wrong. */
  errors(): string;
  stop(): Promise<void>;
}

/** Resolves when the server has said `listening on HOST:PORT`. */
export async function startServer(command: Command): Promise<ServerProcess> {
  const { child, exited, errors } = start(command);
  let timer: NodeJS.Timeout | undefined;
  const address = await new Promise<string | undefined>((resolve) => {
    timer = setTimeout(resolve, START_TIMEOUT_MS, undefined);
    createInterface({ input: child.stdout! }).on('line', (line) => {
      if (line.startsWith('listening on ')) resolve(line.slice('listening on '.length));
    });
    void exited.then(() => resolve(undefined));
  });
  clearTimeout(timer);
  const stop = async () => {
    child.kill('SIGKILL');
    await exited;
  };
  if (address !== undefined) return { address, errors, stop };
  await stop();
  throw new Error(`${command.args.join(' ')} does not listen: ${errors()}`);
}

export type Ended = { lines: readonly string[]; errors: string };

/** Runs a program to its end. */
export async function runClient(command: Command): Promise<Ended> {
  const { child, exited, errors } = start(command);
  const lines: string[] = [];
  const read = once(
    createInterface({ input: child.stdout! }).on('line', (line) => lines.push(line)),
    'close',
  );
  const timer = setTimeout(() => child.kill('SIGKILL'), RUN_TIMEOUT_MS);
  await Promise.all([read, exited]);
  clearTimeout(timer);
  return { lines, errors: errors() };
}

function start({ file, args, env }: Command) {
  const child: ChildProcess = spawn(file, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  let text = '';
  child.stderr!.setEncoding('utf8').on('data', (chunk: string) => {
    text = (text + chunk).slice(-4_000);
  });
  const exited = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      text += error.message;
      resolve();
    });
    child.once('exit', () => resolve());
  }).finally(() => process.off('exit', kill));
  return { child, exited, errors: () => text };
}
