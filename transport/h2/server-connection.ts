import type { Socket } from 'node:net';
import type { Peer } from '../../rpc/call.js';
import type { CompressionName } from '../../rpc/compression.js';
import { RpcError } from '../../rpc/error.js';
import type { Metadata } from '../../rpc/metadata.js';
import { Status } from '../../rpc/status.js';
import { requestHead as connectHead } from '../connect/request-head.js';
import { peerOfSocket } from '../peer.js';
import type { ListenOptions } from '../transport.js';
import { admit, noSuchMethod, Refusal, tooMuchMetadata } from './admission.js';
import type { Budget } from './budget.js';
import { Cancellations } from './cancellations.js';
import { ConnectStream } from './connect-stream.js';
import { Http2Connection } from './connection.js';
import { ConnectionAge } from './connection-age.js';
import { SETTINGS_ACK_TIMEOUT_MS } from './connection-life.js';
import { ContentLength } from './content-length.js';
import { fieldOf } from './headers.js';
import { HeldEnds } from './held-ends.js';
import type { Ending } from './owner.js';
import { ConnectionError, ErrorCode, MAX_STREAM_ID } from './protocol.js';
import { Rate } from './rate.js';
import { type RequestHead, requestHead } from './request-head.js';
import { resetText } from './reset.js';
import { ResponseHeaders } from './response-headers.js';
import { ServerExchange } from './server-exchange.js';
import { ServerStream } from './server-stream.js';
import { ServerUnary } from './server-unary.js';
import type { Fields, GrpcStream } from './stream.js';
import { Taken } from './taken.js';
import { fittingTrailers } from './trailers.js';

const SETTINGS_TIMEOUT_MS = 5_000;
const AGE_GRACE_MS = 30_000;
/** Above this nothing more is read until what is written has gone: answers, resets and acknowledgements add up. */
const MAX_PENDING_BYTES = 2_097_152;
const STREAM_TICK_MS = 10_000;
/** Room for what is not metadata, such as the path; and for metadata over the limit, so that its refusal names it. */
const OWN_HEADER_BYTES = 16_384;
/** Whatever the server's limit of metadata: what comes of a header is held until it has ended. */
const MAX_HEADER_LIST_BYTES = 16_777_216;

/** A server's end of a connection. */
export class ServerConnection extends Http2Connection {
  readonly options: ListenOptions;
  readonly peer: Peer;
  readonly #onClosed: () => void;
  readonly #cancellations = new Cancellations();
  readonly #resets = new Rate('resets of streams that were over', 1_000, 10_000);
  readonly #refusals = new Rate('streams over the limit', 1_000, 10_000);
  readonly #responses: ResponseHeaders;
  #lastId = 0; // Of the streams that we look at,
  #lastSeenId = 0; // and of those that we have left unanswered, since we are going away.
  #draining = false;
  #goingAway = false;
  #cancelledThisTurn = 0;

  chunk = 0;
  #heldEnds: HeldEnds | undefined;
  readonly #age = new ConnectionAge();
  readonly #taken = new Taken(this.output);
  #cutOffAt = Number.POSITIVE_INFINITY;
  #nextStreamTick = 0;

  constructor(socket: Socket, options: ListenOptions, budget: Budget, onClosed: () => void) {
    super(
      socket,
      {
        streamWindowBytes: 262_144,
        connectionWindowBytes: 8_388_608,
        maxHeaderListBytes: Math.min(options.maxMetadataBytes + OWN_HEADER_BYTES, MAX_HEADER_LIST_BYTES),
        maxConcurrentStreams: options.maxStreamsPerConnection,
      },
      budget,
    );
    socket.on('drain', () => socket.resume());
    this.options = options;
    this.#onClosed = onClosed;
    this.#responses = new ResponseHeaders(this.encoder);
    this.peer = peerOfSocket(socket);
    this.announce(true);
  }

  protected override get lastPeerStream(): number {
    return this.#lastId;
  }

  protected override isIdle(streamId: number): boolean {
    return streamId % 2 === 0 || streamId > this.#lastSeenId;
  }

  protected override onNewStream(streamId: number, fields: Fields | undefined, endStream: boolean): void {
    if (streamId % 2 === 0)
      throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, `HEADERS on stream ${streamId}`); // 5.1.1
    if (streamId <= this.#lastSeenId) return this.onLateHeaders(endStream);
    this.#lastSeenId = streamId;
    if (this.#goingAway) return this.#refusals.count(); // 6.8: above the last stream that we announced.
    this.#lastId = streamId;
    if (
      this.streams.size + this.#cancelledThisTurn >= this.options.maxStreamsPerConnection ||
      !this.budget.hasStream
    ) {
      this.#refusals.count();
      return this.writer.resetStream(streamId, ErrorCode.REFUSED_STREAM); // 5.1.2
    }
    this.#cancellations.opened();
    if (!fields) return this.#refuse(streamId, endStream, tooMuchMetadata());
    this.#onRequest(streamId, requestHead(fields), endStream);
  }

  #onRequest(streamId: number, head: RequestHead, endStream: boolean): void {
    if (head.malformed) {
      this.writer.resetStream(streamId, ErrorCode.PROTOCOL_ERROR); // 8.1.1
      return this.countCancelled();
    }
    if (head.subtype === undefined) return this.#onConnectRequest(streamId, head, endStream);
    const route = this.options.routes.get(head.path);
    if (!route) return this.#refuse(streamId, endStream, noSuchMethod(head.path));
    const wire = admit(route, head.subtype, head);
    if (wire instanceof Refusal) return this.#refuse(streamId, endStream, wire);
    const stream =
      route.kind === 'unary'
        ? new ServerUnary(this, streamId, route, wire, head)
        : new ServerExchange(this, streamId, route, wire, head);
    if (head.contentLength !== undefined) stream.content = new ContentLength(head.contentLength);
    this.streams.add(stream);
    this.budget.countStreams(1);
    if (stream instanceof ServerExchange) stream.start();
    if (endStream) stream.endRequest();
  }

  #onConnectRequest(streamId: number, head: RequestHead, endStream: boolean): void {
    const { path, fields, contentLength } = head;
    const stream = new ConnectStream(this, streamId, head.mayEndBeforeReset, (answer) => {
      this.writer.headers(streamId, this.encoder.encode(answer), false);
      this.#resets.earn(1);
    });
    this.streams.add(stream);
    this.budget.countStreams(1);
    if (contentLength !== undefined) stream.content = new ContentLength(contentLength);
    stream.remoteEnded = endStream;
    stream.start(connectHead(fieldOf(fields, ':method') ?? '', path, fields, this.options.routes));
    if (endStream) stream.onHeaders(undefined, true);
  }

  /** An answer without a stream: the request's DATA, which may be on its way, is let pass. */
  #refuse(streamId: number, endStream: boolean, { trailers }: Refusal): void {
    this.#sendTrailers(streamId, trailers);
    if (!endStream) this.writer.resetStream(streamId, ErrorCode.NO_ERROR); // 8.1
  }

  /** The header of a response. */
  respond(
    streamId: number,
    contentType: string,
    compression: CompressionName,
    metadata: Metadata | undefined,
  ): void {
    const { maxHeaderListBytes } = this.peerSettings;
    const block = this.#responses.header(contentType, compression, metadata, maxHeaderListBytes);
    this.writer.headers(streamId, block, false);
  }

  endOk(streamId: number): void {
    this.writer.headers(streamId, this.#responses.okTrailers(), true);
    this.#resets.earn(1);
  }

  end(streamId: number, ending: Ending): void {
    this.#sendTrailers(streamId, fittingTrailers(ending, this.peerSettings.maxHeaderListBytes));
  }

  #sendTrailers(streamId: number, trailers: Fields): void {
    this.writer.headers(streamId, this.encoder.encode(trailers), true);
    // 8.1: a client may give up its requests now, or have given up the call before this reaches it.
    this.#resets.earn(1);
  }

  /** 6.8: first a GOAWAY that refuses nothing, so that no request that is on its way is lost, then the real one. */
  drain(): void {
    if (this.isClosed || this.#draining) return;
    this.writer.goAway(MAX_STREAM_ID, ErrorCode.NO_ERROR, '');
    this.writer.ping(new Uint8Array(8), false);
    this.#draining = true;
  }

  /** The client has seen the first GOAWAY when it has answered the ping behind it. */
  protected override onPong(): void {
    if (!this.#draining || this.#goingAway) return;
    this.#goingAway = true;
    this.writer.goAway(this.#lastId, ErrorCode.NO_ERROR, '');
    this.#closeIfDone();
  }

  protected override onStreamForgotten(): void {
    this.#closeIfDone();
  }

  #closeIfDone(): void {
    if (this.#goingAway && this.streams.size === 0) this.endSocket();
  }

  /**
   * Looks at the clock for what has a limit in time. One timer of the server serves all its connections.
   * @param now on the clock of `performance.now()`, about once a second
   */
  onTick(now: number): void {
    if (this.isClosed) return;
    try {
      this.checkUnfinished(now);
      if (!this.sawSettings && now - this.#age.openedAt >= SETTINGS_TIMEOUT_MS) {
        throw new ConnectionError(ErrorCode.SETTINGS_TIMEOUT, `no SETTINGS within ${SETTINGS_TIMEOUT_MS} ms`);
      }
      if (now - this.#age.openedAt >= SETTINGS_ACK_TIMEOUT_MS) this.checkAcknowledged();
      const notTaken = this.#taken.check(now);
      if (notTaken) return this.#destroy(notTaken);
      if (now >= this.#nextStreamTick) {
        this.#nextStreamTick = now + STREAM_TICK_MS;
        for (const stream of this.streams.values())
          if (stream instanceof ServerUnary || stream instanceof ConnectStream) stream.onTick();
      }
    } catch (reason) {
      return this.failed(reason);
    }
    if (now >= this.#cutOffAt) return this.cutOff();
    const isOver = this.#age.isOver(now, this.streams.size, this.#lastId);
    if (this.#draining || !isOver) return;
    this.drain();
    this.#cutOffAt = now + AGE_GRACE_MS;
  }

  #destroy(reason: Error): void {
    this.lost(reason);
    this.socket.destroy();
  }

  /** A client that does not read what it asked for is not read either. */
  protected override onChunkRead(): void {
    if (this.output.pendingBytes > MAX_PENDING_BYTES) this.socket.pause();
    this.#heldEnds?.onChunkRead(this.chunk, this.isMidFrame);
    this.chunk++;
  }

  holdEnd(end: () => void): void {
    this.#heldEnds ??= new HeldEnds(() => !this.isClosed && this.socket.isPaused());
    this.#heldEnds.hold(end, this.chunk);
  }

  cutOff(): void {
    for (const stream of [...this.streams.values()]) {
      if (
        stream instanceof ServerUnary ||
        stream instanceof ServerExchange ||
        stream instanceof ConnectStream
      ) {
        stream.closedByServer();
      }
    }
    this.goAwayAndClose(ErrorCode.NO_ERROR, '');
    this.lost(undefined);
  }

  protected override onSettings(): void {}

  protected override onGoAway(): void {
    // The client opens no more streams; those that are open end in their own time.
  }

  protected override resetError(code: number): RpcError {
    return new RpcError(Status.CANCELLED, `cancelled by the client: ${resetText(code)}`);
  }

  protected override onReset(stream: GrpcStream | undefined): void {
    const isCall = stream instanceof ServerStream || (stream instanceof ConnectStream && stream.isRunning);
    if (!isCall) return this.#resets.count();
    // A new stream in its place would start a handler before this one's has seen the abort.
    if (this.#cancelledThisTurn++ === 0) setImmediate(this.#nextTurn);
    if (stream.isYoung) this.countCancelled();
  }

  readonly #nextTurn = (): void => {
    this.#cancelledThisTurn = 0;
  };

  countCancelled(): void {
    this.#cancellations.cancelled();
  }

  protected override onStreamBroken(): void {
    this.countCancelled();
  }

  protected override onClosed(): void {
    this.#onClosed();
  }
}
