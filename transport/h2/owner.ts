import type { Peer } from '../../rpc/call.js';
import type { CompressionName } from '../../rpc/compression.js';
import type { RpcError } from '../../rpc/error.js';
import type { Metadata } from '../../rpc/metadata.js';
import type { Cancellable, ConnectOptions, ListenOptions } from '../transport.js';
import type { Budget } from './budget.js';
import type { SendWindow } from './flow-control.js';
import type { FrameWriter } from './frame-writer.js';

/** A stream as its connection sends for it. */
export interface Sender {
  readonly id: number;
  readonly sendWindow: SendWindow;
  /** Whether it waits for its turn; and its neighbours, for the connection to set. */
  isSending: boolean;
  sendsAfter: Sender | undefined;
  sendsBefore: Sender | undefined;
  /** Sends one DATA frame of what is queued, of at most so many bytes. False when there is no more to send now. */
  sendQueued(maxBytes: number): boolean;
  /** Gives back what the stream holds. */
  release(): void;
}

/** A connection as its streams see it. */
export interface StreamOwner {
  readonly writer: FrameWriter;
  readonly budget: Budget;
  /** The part of the budget for messages that have come and were not read. */
  readonly unread: Budget;
  /** What the peer lets a new stream send. */
  readonly peerInitialWindow: number;
  /** What we let a new stream receive. */
  readonly streamWindow: number;
  /** Whether a message may go out now, whole. If so, its bytes are spent. */
  takes(stream: Sender, bytes: number): boolean;
  spend(stream: Sender, bytes: number): void;
  /** The stream has something queued. */
  enqueue(stream: Sender): void;
  /** The stream is closed (RFC 9113, 5.1). */
  forget(stream: Sender): void;
}

export interface ClientOwner extends StreamOwner {
  readonly options: ConnectOptions;
  /** Sends a stream's call again, at which no server has looked. Undefined when that was tried often enough. */
  sendAgain(stream: Sender): Cancellable | undefined;
  /** A call was given up before its answer had come. */
  gaveUp(): void;
}

/** How a call ended. */
export type Ending = {
  readonly error: RpcError | undefined;
  readonly trailer: Metadata | undefined;
  /** Set when nothing was sent before, so that the trailers are the header too. */
  readonly only: { contentType: string } | undefined;
};

export interface ServerOwner extends StreamOwner {
  readonly options: ListenOptions;
  readonly peer: Peer;
  /** The client has given a stream up, or broken it. @throws ConnectionError when it does so too often */
  countCancelled(): void;
  /** Counts what the socket has brought: the chunk that is being read. */
  readonly chunk: number;
  /** Calls `end` when the end of the client's requests is no cancellation, as far as can be known (`HeldEnds`). */
  holdEnd(end: () => void): void;
  /** Sends the header of a response. @throws RpcError for one that the client would not take */
  respond(
    streamId: number,
    contentType: string,
    compression: CompressionName,
    metadata: Metadata | undefined,
  ): void;
  /** Sends the trailers of a call. */
  end(streamId: number, ending: Ending): void;
  /** Sends the trailers of a call that went well and has no more to say. */
  endOk(streamId: number): void;
}
