import { deadlineExceeded } from '../../rpc/deadline.js';
import type { RpcError } from '../../rpc/error.js';
import { type Answer, errorAnswer } from '../connect/answer.js';
import { ConnectCall } from '../connect/call.js';
import type { RequestHead } from '../connect/request-head.js';
import { ReceiveWindow } from './flow-control.js';
import type { ServerOwner } from './owner.js';
import { overBudget } from './partial-message.js';
import { ErrorCode } from './protocol.js';
import { type Fields, GrpcStream, STUCK_TICKS } from './stream.js';

/** Some clients see an early answer only when they may send on for a while; a reset would take it from them. */
const LINGER_MS = 1_000;
const NOTHING = Buffer.alloc(0);

/**
 * A request that is not gRPC's: curl and browsers speak HTTP/2 over TLS too. It is a call in the Connect protocol,
 * whose body is the message itself, without gRPC's prefix.
 */
export class ConnectStream extends GrpcStream {
  readonly #server: ServerOwner;
  readonly #mayEndBeforeReset: boolean;
  readonly #openedIn: number; // The chunk.
  readonly #sendHeaders: (fields: Fields) => void;
  readonly #window: ReceiveWindow;
  #call: ConnectCall | undefined;
  #body: Buffer = NOTHING; // Of the answer, as far as it is not sent.
  #held = 0; // Bytes of the budget, for the request that comes or the answer that goes.
  #stuckTicks = 0;
  #lengthBefore = 0; // Of the answer, at the last tick.
  #unwanted = 0; // Bytes of the request that came after its answer.
  #linger: NodeJS.Timeout | undefined;

  constructor(
    connection: ServerOwner,
    id: number,
    mayEndBeforeReset: boolean,
    sendHeaders: (fields: Fields) => void,
  ) {
    super(connection, id, connection.options.maxMessageBytes);
    this.#server = connection;
    this.#mayEndBeforeReset = mayEndBeforeReset;
    this.#openedIn = connection.chunk;
    this.#sendHeaders = sendHeaders;
    this.#window = new ReceiveWindow(connection.streamWindow);
  }

  protected override readonly hasRoom = true;
  protected override onMessage(): void {}
  protected override onEnd(): void {}
  /** The end goes with the last of the answer. */
  protected override sendEnd(): void {}

  start(head: RequestHead | Answer): void {
    if ('status' in head) return this.#answer(head);
    const { peer, options } = this.#server;
    this.#call = new ConnectCall(head, peer, options, (answer) => this.#answer(answer));
  }

  override onHeaders(_: Fields | undefined, endStream: boolean): void {
    if (!endStream) return this.#broken();
    this.#requestEnded();
  }

  override onData(buffer: Buffer, start: number, end: number, flowBytes: number, endStream: boolean): void {
    this.#window.received(flowBytes);
    if (this.content && !this.content.take(end - start)) return this.onMalformed();
    const wanted = this.#receive(buffer.subarray(start, end), endStream);
    if (endStream) return this.#requestEnded();
    if (!wanted) this.#unwanted += flowBytes;
    if (this.#unwanted > this.#server.options.maxMessageBytes) return this.#giveUp();
    const increment = this.#window.consumed(flowBytes);
    if (increment > 0) this.connection.writer.windowUpdate(this.id, increment);
  }

  /** False when it is not wanted. */
  #receive(bytes: Buffer, isLast: boolean): boolean {
    if (!this.#call?.isRunning) return false;
    // Like a message of gRPC, a body is held only as long as it has not ended.
    if (isLast) return this.#call.onData(bytes);
    if (this.#take(bytes.length)) return this.#call.onData(Buffer.from(bytes)); // A view would hold all that came with it.
    this.#call.fail(overBudget());
    return false;
  }

  #take(bytes: number): boolean {
    if (!this.connection.budget.take(bytes)) return false;
    this.#held += bytes;
    return true;
  }

  #giveBack(bytes: number): void {
    this.connection.budget.giveBack(bytes);
    this.#held -= bytes;
  }

  #requestEnded(): void {
    if (this.content && !this.content.isWhole) return this.onMalformed();
    if (this.#body.length === 0) this.#giveBack(this.#held);
    clearTimeout(this.#linger);
    this.remoteEnded = true;
    if (this.#mayBeCut) this.#server.holdEnd(() => this.#call?.onEnd());
    else this.#call?.onEnd();
    this.closeIfEnded();
  }

  /** What came at once is whole, as far as can be known, and what has a length shows by that whether it is. */
  get #mayBeCut(): boolean {
    if (!this.#mayEndBeforeReset || this.content || !this.isRunning) return false;
    return this.#server.chunk !== this.#openedIn;
  }

  protected override onMalformed(): void {
    super.onMalformed();
    this.#server.countCancelled();
  }

  /** 8.1: a second header in one request. */
  #broken(): void {
    this.reset(ErrorCode.PROTOCOL_ERROR);
    this.#call?.closedByServer();
    this.#server.countCancelled();
  }

  #answer(answer: Answer): void {
    if (this.localEnded) return;
    this.#giveBack(this.#held);
    const { status, fields, body } = this.#take(answer.body.length) ? answer : errorAnswer(overBudget());
    this.#sendHeaders([':status', String(status), ...fields, 'content-length', String(body.length)]);
    if (body.length === 0) {
      this.connection.writer.data(this.id, NOTHING, 0, 0, true);
      return this.#answered();
    }
    this.#body = Buffer.from(body.buffer, body.byteOffset, body.length);
    this.connection.enqueue(this);
  }

  override sendQueued(maxBytes: number): boolean {
    const { length } = this.#body;
    const sent = Math.min(length, maxBytes, this.sendWindow.available);
    if (sent <= 0) return false;
    this.connection.spend(this, sent);
    this.connection.writer.data(this.id, this.#body, 0, sent, sent === length);
    this.#body = this.#body.subarray(sent);
    this.#giveBack(Math.min(sent, this.#held));
    if (sent < length) return true;
    this.#answered();
    return false;
  }

  #answered(): void {
    this.localEnded = true;
    if (this.remoteEnded) return this.closeIfEnded();
    this.#linger = setTimeout(() => this.#giveUp(), LINGER_MS).unref();
  }

  /** 8.1: the rest of the request is not wanted. */
  #giveUp(): void {
    clearTimeout(this.#linger);
    this.reset(ErrorCode.NO_ERROR);
  }

  protected override dropQueue(): void {
    super.dropQueue();
    this.#body = NOTHING;
    this.#giveBack(this.#held);
  }

  override onWindowUpdate(increment: number): void {
    super.onWindowUpdate(increment);
    if (this.#body.length > 0) this.connection.enqueue(this);
  }

  override onLost(error: RpcError): void {
    clearTimeout(this.#linger);
    this.dropQueue();
    this.#call?.onLost(error);
  }

  closedByServer(): void {
    this.#call?.closedByServer();
  }

  /** Whether the call has begun and is not answered. */
  get isRunning(): boolean {
    return this.#call?.isRunning ?? false;
  }

  get isYoung(): boolean {
    return this.#call?.isYoung ?? false;
  }

  /** Told every 10 s. A request comes at once and its answer is taken at once, as with gRPC's unary calls. */
  onTick(): void {
    const { length } = this.#body;
    const isStuck = !this.remoteEnded || (length > 0 && length === this.#lengthBefore);
    this.#lengthBefore = length;
    this.#stuckTicks = isStuck ? this.#stuckTicks + 1 : 0;
    if (this.#stuckTicks < STUCK_TICKS) return;
    if (this.isRunning) this.#call!.stop(deadlineExceeded('the client has not sent its request in time'));
    else this.reset(ErrorCode.CANCEL);
  }
}
