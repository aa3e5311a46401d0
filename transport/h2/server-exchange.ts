import { RpcError } from '../../rpc/error.js';
import { Status } from '../../rpc/status.js';
import type { IncomingStream, Route } from '../transport.js';
import type { WireMethod } from '../wire-method.js';
import { Inbox } from './inbox.js';
import type { ServerOwner } from './owner.js';
import { pace } from './pace.js';
import type { RequestHead } from './request-head.js';
import { ServerStream } from './server-stream.js';

/** A call with streams at the server's end: requests wait in an inbox for the handler. */
export class ServerExchange extends ServerStream implements IncomingStream {
  readonly #inbox: Inbox;
  /** Of the last that was read. */
  requestCompressed = false;

  constructor(connection: ServerOwner, id: number, route: Route, wire: WireMethod, head: RequestHead) {
    super(connection, id, route, wire, head);
    this.#inbox = new Inbox({
      read: (bytes, compressed) => {
        this.requestCompressed = compressed;
        return this.readRequest(bytes, compressed);
      },
      onRoom: () => this.readerHasRoom(),
      onLeave: () => {},
    });
    this.#inbox.countIn(connection.unread);
  }

  start(): void {
    this.route.stream(this, this.#inbox);
  }

  protected override get hasRoom(): boolean {
    return this.#inbox.isEmpty;
  }

  protected override onRequest(bytes: Uint8Array, compressed: boolean): void {
    this.#inbox.put(bytes, compressed);
  }

  override release(): void {
    super.release();
    this.#inbox.release();
  }

  protected override onEnd(): void {
    if (!this.isAnswered && this.head.mayEndBeforeReset && this.route.kind !== 'serverStream')
      return this.server.holdEnd(this.#endRequests);
    this.#endRequests();
  }

  /** Harmless once the client has cancelled: the inbox is closed by then, and the stream forgotten. */
  readonly #endRequests = (): void => {
    this.#inbox.close(undefined);
    this.closeIfEnded();
  };

  protected override onGone(): void {
    this.#inbox.drop();
    this.#inbox.close(new RpcError(Status.CANCELLED, 'the client cancelled before its last request'));
  }

  write(message: unknown): Promise<void> | undefined {
    return this.sendReply(message) ?? pace();
  }

  end(): void {
    this.finish(undefined);
  }

  fail(error: RpcError): void {
    this.finish(error);
  }
}
