import type { Socket } from 'node:net';
import { RpcError } from '../../rpc/error.js';
import { Status } from '../../rpc/status.js';
import type { Cancellable, ConnectOptions, StreamCall, UnaryCall } from '../transport.js';
import { Budget } from './budget.js';
import type { ClientStream } from './client-stream.js';
import { ClientUnary } from './client-unary.js';
import { Http2Connection } from './connection.js';
import { type Http2Limits, SETTINGS_ACK_TIMEOUT_MS } from './connection-life.js';
import { Keepalive, type PingPace } from './keepalive.js';
import type { Sender } from './owner.js';
import { ConnectionError, DATA, ErrorCode, HEADERS, MAX_STREAM_ID, PREFACE } from './protocol.js';
import { RepeatableRequests } from './repeatable-requests.js';
import { ClientReplyStream } from './reply-stream.js';
import { RequestBlocks } from './request-blocks.js';
import { resetText, statusOfReset } from './reset.js';

const LIMITS: Http2Limits = {
  streamWindowBytes: 262_144,
  connectionWindowBytes: 8_388_608,
  // Of a server of ours: metadata of 16 KiB in the trailer, as much with an error, and its text, nine bytes a character.
  maxHeaderListBytes: 65_536,
  maxConcurrentStreams: 0,
};
/** gRFC A8: the text of a GOAWAY to a client that pings more often than its server likes. */
const TOO_MANY_PINGS = 'too_many_pings';

/** What a connection tells the one who opened it. */
export type ClientConnectionEvents = {
  /** The server's SETTINGS are here: calls may be sent. */
  onReady(): void;
  /** No new calls on this connection: the server leaves (GOAWAY), or the stream numbers are used up. */
  onLeaving(): void;
  /** A call has ended, so that there may be room for another. */
  onRoom(): void;
  onClosed(error: RpcError): void;
  /**
   * The server has not looked at a call and will not; `send` is how it is sent again. Undefined when it is not to be;
   * otherwise it is sent, or told in the end that it could not be.
   */
  onUnprocessed(stream: ClientStream, send: SendAgain): Cancellable | undefined;
};

export type SendAgain = (connection: ClientConnection) => Cancellable;

/** A client's end of a connection. */
export class ClientConnection extends Http2Connection {
  readonly options: ConnectOptions;
  readonly #events: ClientConnectionEvents;
  readonly #keepalive: Keepalive;
  readonly #pace: PingPace;
  readonly #ackTimer: NodeJS.Timeout;
  readonly #blocks: RequestBlocks;
  #nextId: number;
  #isReady = false;
  #isLeaving = false;

  constructor(
    socket: Socket,
    authority: string,
    options: ConnectOptions,
    pace: PingPace,
    events: ClientConnectionEvents,
    firstId = 1,
  ) {
    super(socket, LIMITS, new Budget(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY));
    this.options = options;
    this.#nextId = firstId;
    this.#blocks = new RequestBlocks(this.encoder, this.peerSettings, options, authority);
    this.#events = events;
    this.output.write(PREFACE, 0, PREFACE.length);
    this.announce(false);
    this.#pace = pace;
    const owner = {
      ping: () => this.writer.ping(new Uint8Array(8), false),
      hasCalls: () => this.streams.size > 0,
      welcomesPings: () => this.peerSettings.welcomesPings,
      onDead: () => this.#onDead(),
    };
    this.#keepalive = new Keepalive(owner, pace);
    // After a pause of the process the acknowledgement may lie unread, until before the next check phase.
    this.#ackTimer = setTimeout(() => setImmediate(this.#lookForAck), SETTINGS_ACK_TIMEOUT_MS).unref();
  }

  /** Whether a call may be sent now. */
  get hasRoom(): boolean {
    return this.#isReady && !this.#isLeaving && this.streams.size < this.peerSettings.maxStreams;
  }

  /** @throws RpcError for a header that the server would not take */
  unary(call: UnaryCall, request: Uint8Array, tries = 0): ClientUnary {
    const block = this.#blocks.of(call);
    const stream = new ClientUnary(this, this.#takeId(), call, tries);
    this.#open(stream, block);
    stream.sendOnly(request);
    return stream;
  }

  /** @throws RpcError for a header that the server would not take */
  stream(call: StreamCall, requests: AsyncIterable<unknown>): ClientReplyStream {
    return this.#stream(call, new RepeatableRequests(requests));
  }

  #stream(call: StreamCall, requests: RepeatableRequests, before?: ClientReplyStream): ClientReplyStream {
    const block = this.#blocks.of(call);
    const stream = new ClientReplyStream(this, this.#takeId(), call, requests, before);
    this.#open(stream, block);
    stream.sendRequests();
    return stream;
  }

  sendAgain(stream: Sender): Cancellable | undefined {
    if (stream instanceof ClientUnary) {
      const { call, tries } = stream;
      return this.#events.onUnprocessed(stream, (connection) =>
        connection.unary(call, call.wire.request.encode(call.request), tries + 1),
      );
    }
    if (!(stream instanceof ClientReplyStream)) return undefined;
    const requests = stream.makeWay();
    return this.#events.onUnprocessed(stream, (connection) =>
      connection.#stream(stream.call, requests, stream),
    );
  }

  gaveUp(): void {
    this.#keepalive.gaveUp();
  }

  #takeId(): number {
    const id = this.#nextId;
    this.#nextId += 2;
    if (this.#nextId > MAX_STREAM_ID) this.#leave(); // 5.1.1
    return id;
  }

  #open(stream: ClientUnary | ClientReplyStream, block: Buffer): void {
    const isFirst = this.streams.size === 0;
    if (isFirst) this.socket.ref();
    this.streams.add(stream);
    this.budget.countStreams(1);
    this.writer.headers(stream.id, block, false);
    if (isFirst) this.#keepalive.called();
  }

  /** Ends the connection once its calls have. */
  leave(): void {
    this.#leave();
    if (this.streams.size === 0) this.#goodbye();
  }

  /** Ends it now; its calls are told `error`. */
  cutOff(error: RpcError): void {
    for (const stream of [...this.streams.values()]) {
      if (stream instanceof ClientUnary || stream instanceof ClientReplyStream) stream.cancel(error);
    }
    this.#goodbye();
  }

  #goodbye(): void {
    this.goAwayAndClose(ErrorCode.NO_ERROR, '');
    this.lost(undefined);
  }

  #leave(): void {
    if (this.#isLeaving) return;
    this.#isLeaving = true;
    this.#events.onLeaving();
  }

  protected override readonly lastPeerStream = 0;

  protected override isIdle(streamId: number): boolean {
    return streamId % 2 === 0 || streamId >= this.#nextId;
  }

  protected override onNewStream(streamId: number): void {
    // 5.1.1, 8.4: a server opens no streams. On one that we have cancelled the answer may be on its way.
    if (this.isIdle(streamId)) {
      throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, `HEADERS on idle stream ${streamId}`);
    }
  }

  protected override onSettings(): void {
    this.#keepalive.settingsCame();
    if (this.#isReady) return this.#events.onRoom();
    this.#isReady = true;
    this.#events.onReady();
    if (this.streams.size === 0) this.socket.unref(); // The call that it was opened for may be over.
  }

  /** 6.8: streams above the last one were not, and will not be, looked at. */
  protected override onGoAway(lastStreamId: number, code: number, text: string): void {
    if (code === ErrorCode.ENHANCE_YOUR_CALM && text === TOO_MANY_PINGS) this.#pace.slowDown();
    this.#leave();
    const why = `the server at ${this.options.address} is leaving${code === ErrorCode.NO_ERROR ? '' : ` (${resetText(code)} ${text})`}`;
    const error = new RpcError(Status.UNAVAILABLE, why, { maybeExecuted: false });
    for (const stream of [...this.streams.values()]) {
      if (stream.id <= lastStreamId) continue;
      stream.localEnded = stream.remoteEnded = true;
      this.forget(stream);
      stream.onLost(error);
    }
    if (this.streams.size === 0) this.#goodbye();
  }

  protected override onStreamForgotten(): void {
    if (this.streams.size > 0) return this.#events.onRoom();
    // An idle connection does not keep its process alive.
    this.socket.unref();
    if (this.#isLeaving) this.#goodbye();
    else this.#events.onRoom();
  }

  protected override resetError(code: number): RpcError {
    return new RpcError(statusOfReset(code), resetText(code), {
      maybeExecuted: code !== ErrorCode.REFUSED_STREAM,
    });
  }

  override onFrame(
    type: number,
    flags: number,
    streamId: number,
    buffer: Buffer,
    start: number,
    end: number,
  ): void {
    if (type === HEADERS || type === DATA) this.#keepalive.answered();
    super.onFrame(type, flags, streamId, buffer, start, end);
  }

  /** What comes in shows as well as an answer to a PING that the server is there. */
  protected override onChunkRead(): void {
    this.#keepalive.heard();
  }

  readonly #lookForAck = (): void => {
    try {
      this.checkAcknowledged();
    } catch (reason) {
      this.failed(reason);
    }
  };

  #onDead(): void {
    this.lost(new Error(`no answer to a ping within ${this.#keepalive.timeoutMs} ms`));
    this.socket.destroy();
  }

  protected override onClosed(error: RpcError): void {
    this.#keepalive.stop();
    clearTimeout(this.#ackTimer);
    this.#isLeaving = true;
    this.#events.onClosed(error);
  }
}
