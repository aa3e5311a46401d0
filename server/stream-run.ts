import type { AsyncResource } from 'node:async_hooks';
import { StreamInContext } from '../rpc/async-context.js';
import { streamsReplies, streamsRequests } from '../rpc/call.js';
import type { RpcError } from '../rpc/error.js';
import { single } from '../rpc/single.js';
import { enterCall } from '../rpc/surrounding-call.js';
import { pump, type Sink } from '../transport/pump.js';
import type { IncomingStream } from '../transport/transport.js';
import { ServerCall } from './context.js';
import type { Placed } from './overload/overstays.js';
import type { Runner } from './runner.js';

/** A call with a stream of requests, of replies, or of both, from its admission to its end. */
export class StreamRun extends ServerCall implements Sink, Placed {
  readonly #runner: Runner;
  readonly #incoming: IncomingStream;
  #stop: (() => Promise<void>) | undefined;
  #isOver = false;
  #hasPlace = true;

  /** @param own the call's async context */
  constructor(runner: Runner, incoming: IncomingStream, own: AsyncResource) {
    super(runner.service, runner.method, incoming, incoming.deadline, own);
    this.#runner = runner;
    this.#incoming = incoming;
  }

  /** To be called in the call's own async context. */
  async start(requests: AsyncIterable<unknown>): Promise<void> {
    enterCall(this);
    const { method } = this;
    try {
      const message = streamsRequests(method) ? requests : await single(requests, `${method.path}: request`);
      const result = await this.#runner.run(message, this);
      if (this.cancelled) {
        // Whoever watches over the replies hears that nobody reads them.
        if (streamsReplies(method)) await leave(this.#runner.checkedStream(result));
        return this.fail(this.cancelled);
      }
      if (streamsReplies(method)) {
        this.#stop = pumpInContext(this.#runner.checkedStream(result), this);
      } else {
        await this.write(result);
        this.end();
      }
    } catch (reason) {
      this.fail(reason);
    }
  }

  write(reply: unknown): Promise<void> | undefined {
    const missing = this.#runner.missing(reply);
    if (missing) throw missing;
    // A generator's body runs with the first step, so what it puts in the header is known only now.
    this.headerIsDue();
    return this.#incoming.write(reply);
  }

  end(): void {
    if (this.#isOver) return;
    try {
      this.headerIsDue();
      this.ended();
    } catch (reason) {
      return this.fail(reason);
    }
    this.#over();
    this.#incoming.end();
  }

  fail(reason: unknown): void {
    if (this.#isOver) return;
    this.#over();
    let error = this.#runner.failed(reason, this);
    try {
      this.ended();
    } catch (tooLarge) {
      error = this.#runner.failed(tooLarge, this);
    }
    this.#incoming.fail(error);
  }

  #over(): void {
    this.#isOver = true;
    if (this.cancelled) this.#runner.gate.overstays.delete(this);
    this.leave();
  }

  leave(): void {
    if (!this.#hasPlace) return;
    this.#hasPlace = false;
    this.#runner.gate.leave();
  }

  /** The handler's place is free when it is really done, or at last when it should have been. */
  protected override onCancelled(error: RpcError): void {
    if (this.#hasPlace) this.#runner.gate.overstays.add(this, performance.now());
    void this.#stop?.().then(() => this.fail(error));
  }
}

/** Moves replies whose steps have a context of their own within that, which costs less than to enter it at each step. */
function pumpInContext(replies: AsyncIterable<unknown>, sink: Sink): () => Promise<void> {
  if (!(replies instanceof StreamInContext)) return pump(replies, sink);
  const { context, messages } = replies;
  const stop = context.runInAsyncScope(pump, undefined, messages, sink);
  return () => context.runInAsyncScope(stop);
}

async function leave(replies: AsyncIterable<unknown>): Promise<void> {
  await replies[Symbol.asyncIterator]().return?.();
}
