import type { Socket } from 'node:net';
import { RpcError } from '../../rpc/error.js';
import { Status } from '../../rpc/status.js';
import { Budget } from './budget.js';
import { asConnectionError, notHttp2 } from './frame-errors.js';
import { FrameWriter } from './frame-writer.js';
import { HpackEncoder } from './hpack-encoder.js';
import { Output } from './output.js';
import type { Sender, StreamOwner } from './owner.js';
import { PeerSettings } from './peer-settings.js';
import {
  ConnectionError,
  DEFAULT_WINDOW,
  ENABLE_PUSH,
  ErrorCode,
  INITIAL_WINDOW_SIZE,
  MAX_CONCURRENT_STREAMS,
  MAX_HEADER_LIST_SIZE,
  WELCOMES_PINGS,
} from './protocol.js';
import { Sending } from './sending.js';
import { StreamTable } from './stream-table.js';

export type Http2Limits = {
  /** SETTINGS_INITIAL_WINDOW_SIZE that we announce: what a peer may send on a stream before it is read. */
  readonly streamWindowBytes: number;
  readonly connectionWindowBytes: number;
  /** SETTINGS_MAX_HEADER_LIST_SIZE that we announce, and hold to. */
  readonly maxHeaderListBytes: number;
  readonly maxConcurrentStreams: number;
};

/** For the last words to a peer: closing at once would throw away what is on its way to it. */
const LINGER_MS = 1_000;
/** So that one connection with handlers, or readers, that do not read leaves room for the others of a server. */
const MAX_UNREAD_BYTES = 134_217_728;
/** From our SETTINGS to their acknowledgement. */
export const SETTINGS_ACK_TIMEOUT_MS = 10_000;

/** A socket with streams on it (RFC 9113, 5), from the first SETTINGS to the last GOAWAY. What comes in is read elsewhere. */
export abstract class ConnectionLife implements StreamOwner {
  readonly socket: Socket;
  readonly writer: FrameWriter;
  readonly encoder = new HpackEncoder();
  readonly budget: Budget;
  readonly unread: Budget;
  protected readonly streams = new StreamTable();
  protected readonly output: Output;
  protected readonly limits: Http2Limits;
  protected readonly peerSettings = new PeerSettings(this.encoder);
  protected readonly sending: Sending;
  /** Whether the peer has shown that it speaks HTTP/2 (3.4). */
  protected sawSettings = false;
  /** Whether the peer has acknowledged our SETTINGS. */
  protected isAcknowledged = false;
  #closed = false;
  #saidGoodbye = false;

  constructor(socket: Socket, limits: Http2Limits, budget: Budget) {
    this.socket = socket;
    this.budget = budget;
    this.unread = new Budget(Number.POSITIVE_INFINITY, MAX_UNREAD_BYTES, budget);
    this.limits = limits;
    this.output = new Output(socket, this);
    this.writer = new FrameWriter(this.output);
    this.sending = new Sending(this.writer, this.output, () => this.onDataSent());
    socket.setNoDelay(true);
    socket.on('data', this.#onChunk);
    socket.on('drain', () => {
      if (!this.#closed) this.sending.send();
    });
    socket.on('error', (error) => this.lost(error));
    socket.on('close', () => this.lost(undefined));
    socket.on('end', () => this.lost(undefined));
  }

  /** What the socket brings. @throws what is wrong with it */
  protected abstract read(chunk: Buffer): void;
  protected abstract onDataSent(): void;
  /** Of the streams that the peer has opened, the last that is looked at (6.8). */
  protected abstract readonly lastPeerStream: number;
  /** The connection is gone; its streams are told next. */
  protected abstract onClosed(error: RpcError): void;
  protected onStreamForgotten(): void {}
  protected onChunkRead(): void {}

  get streamWindow(): number {
    return this.limits.streamWindowBytes;
  }

  get peerInitialWindow(): number {
    return this.peerSettings.initialWindow;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  get openStreams(): number {
    return this.streams.size;
  }

  /** Our SETTINGS, and the connection's window made as large as we want it (3.4, 6.9.2). */
  protected announce(server: boolean): void {
    this.writer.settings([
      ...(server
        ? ([
            [MAX_CONCURRENT_STREAMS, this.limits.maxConcurrentStreams],
            [WELCOMES_PINGS, 1],
          ] as const)
        : ([[ENABLE_PUSH, 0]] as const)),
      [INITIAL_WINDOW_SIZE, this.limits.streamWindowBytes],
      [MAX_HEADER_LIST_SIZE, this.limits.maxHeaderListBytes],
    ]);
    this.writer.windowUpdate(0, this.limits.connectionWindowBytes - DEFAULT_WINDOW);
  }

  readonly #onChunk = (chunk: Buffer): void => {
    if (this.#closed) return;
    try {
      this.read(chunk);
      this.onChunkRead();
    } catch (reason) {
      this.failed(reason);
    }
  };

  /** 5.4.1: the peer broke the protocol. It is told how, and the connection ends. */
  protected failed(reason: unknown): void {
    if (this.#closed) return;
    const error = this.sawSettings ? asConnectionError(reason) : notHttp2(asConnectionError(reason));
    // Our own faults are not the peer's to read.
    this.goAwayAndClose(error.code, error.cause === undefined ? error.message : 'an internal error');
    this.lost(error);
  }

  protected goAwayAndClose(code: ErrorCode, text: string): void {
    if (this.#closed || this.socket.destroyed) return;
    this.writer.goAway(this.lastPeerStream, code, text);
    this.endSocket();
  }

  /** Closes our side behind what is written. What the peer still sends is read and left: a reset would outrun it. */
  protected endSocket(): void {
    if (this.#saidGoodbye) return;
    this.#saidGoodbye = true;
    this.output.flush();
    this.socket.end();
    this.socket.resume();
    // A peer that does not close its side, or does not read, must not hold ours.
    const timer = setTimeout(() => this.socket.destroy(), LINGER_MS).unref();
    this.socket.once('close', () => clearTimeout(timer));
  }

  /** 6.5.3: to be called after the time for it. @throws ConnectionError */
  protected checkAcknowledged(): void {
    if (this.isAcknowledged) return;
    const text = `our SETTINGS are not acknowledged after ${SETTINGS_ACK_TIMEOUT_MS} ms`;
    throw new ConnectionError(ErrorCode.SETTINGS_TIMEOUT, text);
  }

  /** Told more than once; the first counts. */
  protected lost(reason: Error | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    if (!this.socket.destroyed) this.endSocket();
    const why = reason
      ? `the connection was lost: ${reason.message}`
      : 'the connection was closed by the peer';
    const error = new RpcError(Status.UNAVAILABLE, why, { cause: reason });
    const streams = [...this.streams.values()];
    this.streams.clear();
    this.budget.countStreams(-streams.length);
    // First, so that those whose calls now fail do not try this connection again.
    this.onClosed(error);
    for (const stream of streams) {
      stream.localEnded = stream.remoteEnded = true;
      this.sending.remove(stream);
      stream.release();
      stream.onLost(error);
    }
  }

  takes(stream: Sender, bytes: number): boolean {
    return this.sending.takes(stream, bytes);
  }

  spend(stream: Sender, bytes: number): void {
    this.sending.spend(stream, bytes);
  }

  enqueue(stream: Sender): void {
    this.sending.enqueue(stream);
  }

  /** The stream is closed (5.1). */
  forget(stream: Sender): void {
    this.sending.remove(stream);
    if (!this.streams.delete(stream.id)) return;
    stream.release();
    this.budget.countStreams(-1);
    this.onStreamForgotten();
  }
}
