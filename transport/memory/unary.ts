import { RpcError } from '../../rpc/error.js';
import { Metadata } from '../../rpc/metadata.js';
import { Status } from '../../rpc/status.js';
import type { IncomingUnary, UnaryCall } from '../transport.js';
import type { WireMethod } from '../wire-method.js';
import { arrived, MemoryCall, overTheWire, type Sent, sent } from './call.js';
import type { Link } from './endpoint.js';

export class MemoryUnary extends MemoryCall implements IncomingUnary {
  requestBytes = 0;
  readonly #unary: UnaryCall;
  #serverWire: WireMethod | undefined;
  #header: Metadata | undefined;
  #reply: unknown;

  constructor(link: Link, call: UnaryCall) {
    super(link, call);
    this.#unary = call;
  }

  start(): this {
    let request: Sent;
    try {
      request = this.request(this.#unary.request);
    } catch (reason) {
      const { code, details, cause } = RpcError.from(reason, Status.INTERNAL);
      process.nextTick(() =>
        this.finish(new RpcError(code, details, { cause: cause ?? reason, maybeExecuted: false })),
      );
      return this;
    }
    process.nextTick(() => this.#arrive(request));
    return this;
  }

  #arrive(sentRequest: Sent): void {
    if (this.isEnded) return;
    try {
      const { route, wire } = this.arrive();
      this.#serverWire = wire;
      const { maxMessageBytes } = this.endpoint!.options;
      this.requestCompressed = sentRequest.compression !== 'identity';
      const message = arrived(sentRequest, maxMessageBytes);
      this.requestBytes = message.length;
      this.endpoint!.context.runInAsyncScope(route.unary, route, this, wire.request.decode(message));
    } catch (reason) {
      this.finish(RpcError.from(reason, Status.INTERNAL));
    }
  }

  sendHeader(header: Metadata): void {
    this.headerSent = true;
    this.#header ??= header.clone();
  }

  reply(message: unknown): void {
    if (this.isEnded) return;
    try {
      const reply = sent(this.#serverWire!.reply, message, this.compression);
      this.#reply = this.call.wire.reply.decode(arrived(reply, this.link.options.maxMessageBytes));
    } catch (reason) {
      return this.fail(RpcError.from(reason, Status.INTERNAL));
    }
    this.finish(undefined);
  }

  fail(error: RpcError): void {
    this.finish(overTheWire(error, this.trailer, this.headerSent));
  }

  protected override tell(error: RpcError | undefined): void {
    const trailer = error ? error.metadata : this.trailer?.clone();
    this.#unary.done(error, this.#reply, this.#header, trailer ?? new Metadata());
  }
}
