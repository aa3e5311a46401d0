import type { Socket } from 'node:net';
import { outsideCalls } from '../../rpc/async-context.js';
import type { Deadline } from '../../rpc/deadline.js';
import { RpcError } from '../../rpc/error.js';
import { Status } from '../../rpc/status.js';
import type {
  Cancellable,
  Connection,
  ConnectOptions,
  ReplyStream,
  StreamCall,
  UnaryCall,
} from '../transport.js';
import { ClientConnection, type SendAgain } from './client-connection.js';
import type { ClientStream } from './client-stream.js';
import { authorityOf, dial } from './dial.js';
import { PingPace } from './keepalive.js';
import { LateReplyStream, WaitingCall } from './waiting.js';

/** From the start of a connection to the server's SETTINGS: a server that takes TCP and says nothing is not there. */
const CONNECT_TIMEOUT_MS = 2_000;
const MIN_BACKOFF_MS = 100;
/** A node that is listed is looked for often, so that it is used again within a second of its return. */
const MAX_BACKOFF_MS = 1_000;
const MIN_SWEEP = 1_024;
/** A call at which its server has not looked is sent again so often: the first time at once, then after a pause that doubles. */
const MAX_TRIES = 5;
const MIN_PAUSE_MS = 2;
const NOTHING_TO_CANCEL: Cancellable = { cancel() {} };

/** The connection to one node: opened on its first call, and again whenever it is lost. */
export class H2Connection implements Connection {
  readonly #options: ConnectOptions;
  readonly #all = new Set<ClientConnection>(); // The current one, and those that are leaving with calls in flight.
  #current: ClientConnection | undefined;
  #socket: Socket | undefined; // That which is being connected.
  readonly #pace: PingPace;
  #waiting: WaitingCall[] = [];
  #sweepAt = MIN_SWEEP;
  #failures = 0;
  #failedBy: RpcError | undefined; // Why there is no connection, until there is one.
  #retry: NodeJS.Timeout | undefined;
  #reachable = true;
  #closing: Promise<void> | undefined;
  #onIdle: (() => void) | undefined;

  constructor(options: ConnectOptions, pace = new PingPace()) {
    this.#options = options;
    this.#pace = pace;
  }

  unary(call: UnaryCall): Cancellable {
    try {
      const request = call.wire.request.encode(call.request);
      const { maxMessageBytes } = this.#options;
      if (request.length > maxMessageBytes) throw tooLarge(request.length, maxMessageBytes);
      if (this.#current?.hasRoom) return this.#current.unary(call, request);
      return this.#wait(
        call.deadline,
        (connection) => connection.unary(call, request),
        (error) => call.done(error, undefined, undefined, undefined),
      );
    } catch (reason) {
      const { code, details, cause } = RpcError.from(reason, Status.INTERNAL);
      const error = new RpcError(code, details, { cause: cause ?? reason, maybeExecuted: false });
      process.nextTick(() => call.done(error, undefined, undefined, undefined));
      return NOTHING_TO_CANCEL;
    }
  }

  stream(call: StreamCall, requests: AsyncIterable<unknown>): ReplyStream {
    let refusal: unknown;
    try {
      if (this.#current?.hasRoom) return this.#current.stream(call, requests);
    } catch (reason) {
      refusal = reason;
    }
    return new LateReplyStream((start, fail) => {
      const failed = (error: RpcError) => {
        fail(error);
        call.ended(error);
      };
      try {
        if (refusal) throw refusal;
        return this.#wait(call.deadline, (connection) => start(connection.stream(call, requests)), failed);
      } catch (reason) {
        failed(RpcError.from(reason));
        return NOTHING_TO_CANCEL;
      }
    });
  }

  /** @throws RpcError UNAVAILABLE when there is no hope at this moment */
  #wait(
    deadline: Deadline | undefined,
    send: (connection: ClientConnection) => Cancellable,
    fail: (error: RpcError) => void,
  ): WaitingCall {
    const hopeless = this.#hopeless;
    if (hopeless) throw hopeless;
    const waiting = new WaitingCall(this.#options.address, deadline, send, fail);
    this.#enqueue(waiting);
    return waiting;
  }

  /** Why calls have nothing to wait for: after a failure none waits for the next attempt, which may fail as slowly. */
  get #hopeless(): RpcError | undefined {
    if (this.#closing) return unavailable(`the connection to ${this.#options.address} is closed`);
    return this.#failedBy;
  }

  #enqueue(waiting: WaitingCall): void {
    if (this.#waiting.length >= this.#sweepAt) {
      // Those that were cancelled, so that they do not add up while a server takes none.
      this.#waiting = this.#waiting.filter((call) => !call.isOver);
      this.#sweepAt = Math.max(MIN_SWEEP, this.#waiting.length * 2);
    }
    this.#waiting.push(waiting);
    this.#socket?.ref();
    if (!this.#current && !this.#socket) outsideCalls(() => this.#connect());
  }

  /** gRFC A6: what no server has looked at is sent again, whatever the call's own rule for that. */
  #sendAgain(stream: ClientStream, send: SendAgain): Cancellable | undefined {
    if (stream.tries >= MAX_TRIES || this.#hopeless) return undefined;
    const { address } = this.#options;
    const waiting = new WaitingCall(address, stream.deadline, send, (error) => stream.onNotSentAgain(error));
    const queue = () => {
      if (waiting.isOver) return;
      const hopeless = this.#hopeless;
      if (hopeless) return waiting.cancel(hopeless);
      this.#enqueue(waiting);
      this.#sendWaiting();
    };
    if (stream.tries === 0) queue();
    else setTimeout(queue, MIN_PAUSE_MS * 2 ** (stream.tries - 1) * (0.5 + Math.random()));
    return waiting;
  }

  #connect(): void {
    const { address, tls } = this.#options;
    let connection: ClientConnection | undefined;
    let isReady = false;
    const failed = (reason: Error) => {
      clearTimeout(timer);
      if (this.#socket !== socket) return;
      this.#socket = undefined;
      socket.destroy();
      this.#failed(reason);
    };
    const socket = dial(address, tls, (error) => {
      if (error) return failed(error);
      socket.off('error', failed);
      connection = new ClientConnection(socket, authorityOf(address, tls), this.#options, this.#pace, {
        onReady: () => {
          clearTimeout(timer);
          isReady = true;
          this.#socket = undefined;
          this.#all.add(connection!);
          this.#current = connection;
          this.#failures = 0;
          this.#failedBy = undefined;
          this.#setReachable(true);
          this.#sendWaiting();
        },
        onLeaving: () => {
          if (this.#current === connection) this.#current = undefined;
          if (this.#waiting.length > 0 && !this.#socket) this.#connect();
        },
        onRoom: () => this.#sendWaiting(),
        onClosed: (reason) => {
          if (!isReady) return failed(reason);
          this.#lost(connection!);
        },
        onUnprocessed: (stream, send) => this.#sendAgain(stream, send),
      });
    });
    this.#socket = socket;
    const timer = setTimeout(
      () => failed(new Error(`no HTTP/2 settings within ${CONNECT_TIMEOUT_MS} ms`)),
      CONNECT_TIMEOUT_MS,
    );
    timer.unref();
    socket.on('error', failed);
    // It is calls that keep a process alive, not connections.
    if (this.#waiting.length === 0) socket.unref();
  }

  connectNow(): void {
    if (!this.#failedBy || this.#socket || this.#closing) return;
    clearTimeout(this.#retry);
    // Calls may wait again, for this attempt.
    this.#failedBy = undefined;
    this.#connect();
  }

  #failed(reason: Error): void {
    const error = unavailable(`no connection to ${this.#options.address}: ${reason.message}`, reason);
    // Before others are told, who may close this connection for it: these calls go elsewhere.
    const waiting = this.#waiting.splice(0);
    this.#setReachable(false);
    const pause =
      Math.min(MIN_BACKOFF_MS * 2 ** this.#failures++, MAX_BACKOFF_MS) * (0.5 + Math.random() / 2);
    if (!this.#closing) {
      this.#failedBy = error;
      this.#retry = setTimeout(() => this.#connect(), pause).unref();
    }
    for (const call of waiting) if (!call.isOver) call.cancel(error);
  }

  #lost(connection: ClientConnection): void {
    this.#all.delete(connection);
    if (this.#all.size === 0) this.#onIdle?.();
    if (this.#current !== connection || this.#closing) return;
    this.#current = undefined;
    this.#setReachable(false);
    if (!this.#socket && !this.#closing) this.#connect();
  }

  #sendWaiting(): void {
    while (this.#waiting.length > 0 && this.#current?.hasRoom) {
      const call = this.#waiting.shift()!;
      if (!call.isOver) call.start(this.#current);
    }
  }

  #setReachable(reachable: boolean): void {
    if (this.#reachable === reachable || this.#closing) return;
    this.#reachable = reachable;
    this.#options.onReachable(reachable);
  }

  close(graceMs: number): Promise<void> {
    this.#closing ??= this.#close(graceMs);
    return this.#closing;
  }

  async #close(graceMs: number): Promise<void> {
    clearTimeout(this.#retry);
    const { address } = this.#options;
    // They were never sent: where their node has left, others take them.
    const left = unavailable(
      `the connection to ${address} was closed by this client: its node has left, or the client was closed`,
    );
    for (const call of this.#waiting.splice(0)) call.cancel(left);
    this.#socket?.destroy();
    for (const connection of [...this.#all]) connection.leave();
    if (this.#all.size === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, graceMs);
      this.#onIdle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    const error = new RpcError(Status.CANCELLED, `the connection to ${address} was closed`);
    for (const connection of [...this.#all]) connection.cutOff(error);
  }
}

const unavailable = (text: string, cause?: unknown) =>
  new RpcError(Status.UNAVAILABLE, text, { ...(cause === undefined ? {} : { cause }), maybeExecuted: false });

const tooLarge = (bytes: number, maxBytes: number) =>
  new RpcError(Status.RESOURCE_EXHAUSTED, `message of ${bytes} bytes, at most ${maxBytes} are sent`);
