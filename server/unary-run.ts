import type { RpcError } from '../rpc/error.js';
import type { IncomingUnary } from '../transport/transport.js';
import { ServerCall } from './context.js';
import type { Runner } from './runner.js';

/** A unary call from its admission to its answer. */
export class UnaryRun extends ServerCall {
  readonly #runner: Runner;
  readonly #incoming: IncomingUnary;
  #isAnswered = false;

  constructor(runner: Runner, incoming: IncomingUnary) {
    super(runner.service, runner.method, incoming, runner.gate.deadlineOf(incoming));
    this.#runner = runner;
    this.#incoming = incoming;
  }

  start(request: unknown): void {
    let result: unknown;
    try {
      result = this.#runner.run(request, this);
      if (isPromise(result)) {
        void this.#await(result);
        return;
      }
    } catch (reason) {
      return this.#settled(this.#runner.failed(reason, this), undefined);
    }
    this.#settled(this.#runner.missing(result), result);
  }

  async #await(result: PromiseLike<unknown>): Promise<void> {
    let reply: unknown;
    try {
      reply = await result;
    } catch (reason) {
      return this.#settled(this.#runner.failed(reason, this), undefined);
    }
    this.#settled(this.#runner.missing(reply), reply);
  }

  #settled(error: RpcError | undefined, reply: unknown): void {
    this.#runner.gate.leave();
    this.#answer(error, reply);
  }

  /** A handler that never settles ends with its call, for the client; its place is free when it is really done. */
  protected override onCancelled(error: RpcError): void {
    this.#answer(error, undefined);
  }

  #answer(error: RpcError | undefined, reply: unknown): void {
    if (this.#isAnswered) return;
    this.#isAnswered = true;
    try {
      // First: the call ends also when its header cannot be sent.
      this.ended();
      if (!error) this.headerIsDue();
      if (error) this.#incoming.fail(error);
      else this.#incoming.reply(reply);
    } catch (reason) {
      this.#incoming.fail(this.#runner.failed(reason, this));
    }
  }
}

const isPromise = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
