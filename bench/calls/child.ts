import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Answer, Answers, Ask } from './stack.js';

const SCRIPT = fileURLToPath(new URL('./process.js', import.meta.url));
const ANSWER_TIMEOUT_MS = 60_000;
/** Some stacks give TLS an IP address as the server's name, which Node warns of. */
const QUIET = '--disable-warning=DEP0123';

/** One side of a stack, in its process. */
export class Child implements Disposable {
  readonly #process: ChildProcess;
  readonly #what: string;
  readonly #exited: Promise<never>;

  /** @param build folder of the Lictor that the stack is made of, when it is one of Lictor's */
  constructor(stack: string, side: 'server' | 'client', build: string, nodeArgs: string[] = []) {
    this.#what = `the ${side} of ${stack}`;
    this.#process = fork(SCRIPT, [stack, build], {
      stdio: ['ignore', 2, 2, 'ipc'],
      execArgv: [QUIET, ...nodeArgs],
    });
    this.#exited = new Promise((_, reject) => {
      this.#process.once('exit', () => reject(new Error(`${this.#what} ended; see above`)));
    });
    this.#exited.catch(() => {});
  }

  /** One question at a time. */
  async ask<Q extends Ask>(question: Q): Promise<Answers[Q['ask']]> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const error = new Error(`${this.#what} did not answer '${question.ask}' in ${ANSWER_TIMEOUT_MS} ms`);
      timer = setTimeout(() => reject(error), ANSWER_TIMEOUT_MS);
    });
    const answered = new Promise<Answer>((resolve) => this.#process.once('message', resolve));
    this.#process.send(question);
    const answer = await Promise.race([answered, this.#exited, late]).finally(() => clearTimeout(timer));
    if ('error' in answer) throw new Error(`${this.#what}: ${answer.error}`);
    return answer.value as Answers[Q['ask']];
  }

  [Symbol.dispose](): void {
    this.#process.kill('SIGKILL');
  }
}
