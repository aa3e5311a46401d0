import { type Deadline, deadlineExceeded } from '../../rpc/deadline.js';
import { RpcError } from '../../rpc/error.js';
import { LateIterator } from '../../rpc/late-iterator.js';
import { Metadata } from '../../rpc/metadata.js';
import { Status } from '../../rpc/status.js';
import { type Timed, wheel } from '../../rpc/timer-wheel.js';
import type { Cancellable, ReplyStream } from '../transport.js';
import type { ClientConnection } from './client-connection.js';

/** A call that waits for its connection. */
export class WaitingCall implements Timed, Cancellable {
  readonly deadline: Deadline | undefined;
  wheelPrevious: Timed | undefined;
  wheelNext: Timed | undefined;
  wheelSlot: number | undefined;
  readonly #address: string;
  readonly #send: (connection: ClientConnection) => Cancellable;
  readonly #fail: (error: RpcError) => void;
  #sent: Cancellable | undefined;
  isOver = false;

  constructor(
    address: string,
    deadline: Deadline | undefined,
    send: (connection: ClientConnection) => Cancellable,
    fail: (error: RpcError) => void,
  ) {
    this.#address = address;
    this.deadline = deadline;
    this.#send = send;
    this.#fail = fail;
    wheel.add(this);
  }

  start(connection: ClientConnection): void {
    // Due, though its turn of the wheel has not come: it is not sent to be cancelled at once.
    if (this.deadline !== undefined && this.deadline <= performance.now()) return this.onDeadline();
    this.#leave();
    try {
      this.#sent = this.#send(connection);
    } catch (reason) {
      this.#fail(RpcError.from(reason, Status.INTERNAL));
    }
  }

  cancel(error: RpcError): void {
    if (this.#sent) return this.#sent.cancel(error);
    if (this.isOver) return;
    this.#leave();
    this.#fail(error);
  }

  onDeadline(): void {
    this.cancel(deadlineExceeded(`no connection to ${this.#address} within the time-out`, false));
  }

  #leave(): void {
    this.isOver = true;
    wheel.remove(this);
  }
}

/** A stream of replies whose call waits for its connection. */
export class LateReplyStream implements ReplyStream {
  readonly header: Promise<Metadata>;
  readonly #stream: Promise<ReplyStream>;
  readonly #call: Cancellable | undefined; // None when it could not even wait.
  readonly #replies: LateIterator;
  #sent: ReplyStream | undefined;

  /** @param open makes the waiting call, which ends in one of the two */
  constructor(
    open: (start: (stream: ReplyStream) => ReplyStream, fail: (error: RpcError) => void) => Cancellable,
  ) {
    let call: Cancellable | undefined;
    this.#stream = new Promise((resolve, reject) => {
      call = open((stream) => {
        this.#sent = stream;
        resolve(stream);
        return stream;
      }, reject);
    });
    this.#call = call;
    // Its failure is told to the one who iterates.
    this.header = this.#stream.then(
      (stream) => stream.header,
      () => new Metadata(),
    );
    this.#replies = new LateIterator(
      () => this.#stream,
      () => this.cancel(new RpcError(Status.CANCELLED, 'the reader left the stream')),
    );
  }

  get trailer(): Metadata {
    return this.#sent?.trailer ?? new Metadata();
  }

  cancel(error: RpcError): void {
    this.#call?.cancel(error);
  }

  [Symbol.asyncIterator](): AsyncIterator<unknown> {
    return this.#replies;
  }
}
