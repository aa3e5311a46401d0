import type { AsyncResource } from 'node:async_hooks';
import type { RpcError } from '../rpc/error.js';
import { enterCall } from '../rpc/surrounding-call.js';
import type { IncomingUnary } from '../transport/transport.js';
import { ServerCall } from './context.js';
import type { Placed } from './overload/overstays.js';
import type { Runner } from './runner.js';

/** A unary call from its admission to its answer. */
export class UnaryRun extends ServerCall implements Placed {
  readonly #runner: Runner;
  readonly #incoming: IncomingUnary;
  readonly #began: number;
  readonly #window: number;
  #isAnswered = false;
  #hasPlace = true;

  /** @param own the call's async context */
  constructor(runner: Runner, incoming: IncomingUnary, now: number, own: AsyncResource) {
    super(runner.service, runner.method, incoming, runner.gate.deadlineOf(incoming, now), own);
    this.#runner = runner;
    this.#incoming = incoming;
    this.#began = now;
    this.#window = runner.gate.overload?.began() ?? 0;
  }

  /**
   * To be called in the call's own async context.
   * @returns whether the handler goes on
   */
  start(request: unknown): boolean {
    enterCall(this);
    let result: unknown;
    try {
      result = this.#runner.run(request, this);
      if (isPromise(result)) {
        void this.#await(result);
        return true;
      }
    } catch (reason) {
      this.#settled(this.#runner.failed(reason, this), undefined);
      return false;
    }
    this.#settled(this.#runner.missing(result), result);
    return false;
  }

  async #await(result: PromiseLike<unknown>): Promise<void> {
    let reply: unknown;
    try {
      reply = await result;
    } catch (reason) {
      return this.#settled(this.#runner.failed(reason, this), undefined);
    }
    this.#sample();
    this.#settled(this.#runner.missing(reply), reply);
  }

  /** What waited for nothing would take as long however many there are; what was given up took as long as its client. */
  #sample(): void {
    const { gate, usual } = this.#runner;
    if (!gate.overload || this.cancelled) return;
    const now = performance.now();
    gate.overload.sample(now - this.#began, usual, now);
  }

  #settled(error: RpcError | undefined, reply: unknown): void {
    if (this.cancelled) this.#runner.gate.overstays.delete(this);
    this.leave();
    this.#answer(error, reply);
  }

  leave(): void {
    if (!this.#hasPlace) return;
    this.#hasPlace = false;
    const { gate } = this.#runner;
    gate.leave();
    gate.overload?.ended(this.#window);
  }

  /**
   * A handler that never settles ends with its call, for the client; its place is free when it is really done, or at last
   * when it should have been.
   */
  protected override onCancelled(error: RpcError): void {
    if (this.#hasPlace) this.#runner.gate.overstays.add(this, performance.now());
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
