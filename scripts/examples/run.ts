import type { Example } from './list.js';
import { type End, type Program, startProgram } from './program.js';

export type RunOptions = {
  /** How long the whole example may take. @default 60,000 */
  timeoutMs?: number;
  /** Gets each line, with the speaker in front: `server | listening on ...`. @default console.log */
  print?: (line: string) => void;
};

/** `code` is the client's exit code, or 1 when it was not the client that failed. */
export type Outcome =
  | { readonly kind: 'passed' }
  | { readonly kind: 'failed'; readonly code: number; readonly reason: string };

type Start = (speaker: string, file: string) => Program;

/** Runs an example to its end. No process of it is left, however it ends. */
export async function runExample(example: Example, options: RunOptions = {}): Promise<Outcome> {
  const { timeoutMs = 60_000, print = console.log } = options;
  const started = new Map<string, Program>();
  const start: Start = (speaker, file) => {
    const program = startProgram(file, (line) => print(`${speaker} | ${line}`));
    started.set(speaker, program);
    return program;
  };
  let timer: NodeJS.Timeout | undefined;
  const timedOut = new Promise<Outcome>((resolve) => {
    timer = setTimeout(() => {
      const reason = `not done within ${timeoutMs / 1_000} s; started: ${[...started.keys()].join(', ')}`;
      resolve({ kind: 'failed', code: 1, reason });
    }, timeoutMs);
  });
  try {
    return await Promise.race([play(example, start), timedOut]);
  } finally {
    clearTimeout(timer);
    for (const program of started.values()) program.kill();
    await Promise.allSettled([...started.values()].map(({ ended }) => ended));
  }
}

async function play(example: Example, start: Start): Promise<Outcome> {
  if (example.kind === 'main') return outcomeOf('main', await start('main', example.main).ended);
  const server = start('server', example.server);
  const early = await Promise.race([server.listening, server.ended]);
  if (early) {
    const reason = `the server ended (${textOf(early)}) before it printed a line that begins with 'listening'`;
    return { kind: 'failed', code: 1, reason };
  }
  const client = outcomeOf('client', await start('client', example.client).ended);
  server.terminate();
  const end = outcomeOf('server', await server.ended);
  if (client.kind === 'failed' || end.kind === 'passed') return client;
  // Its exit code is the server's, and not the client's.
  return { ...end, code: 1 };
}

const outcomeOf = (speaker: string, end: End): Outcome =>
  end.code === 0
    ? { kind: 'passed' }
    : { kind: 'failed', code: end.code ?? 1, reason: `the ${speaker} ended with ${textOf(end)}` };

const textOf = ({ code, signal }: End): string => (signal ? `signal ${signal}` : `exit code ${code}`);
