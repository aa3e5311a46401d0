import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { RpcError, textOf } from '../../rpc/error.js';
import { Status } from '../../rpc/status.js';
import type { ListenOptions } from '../transport.js';
import { errorAnswer } from './answer.js';
import { Http1Connection } from './http1-connection.js';

export type Http1Limits = {
  /** From a connection's start, or the first byte of a later request, to the end of its header. */
  readonly headersTimeoutMs: number;
  /** To the end of its body. */
  readonly requestTimeoutMs: number;
  /** Between two requests. */
  readonly keepAliveTimeoutMs: number;
  readonly maxHeaderBytes: number;
};

const DEFAULTS: Http1Limits = {
  headersTimeoutMs: 5_000,
  requestTimeoutMs: 30_000,
  keepAliveTimeoutMs: 65_000, // Longer than the 60 s of most proxies, which then end connections and not we.
  maxHeaderBytes: 16 * 1024,
};

/** A peer that does not close its side after our last word must not hold ours. */
const LINGER_MS = 1_000;

/** The Connect protocol over HTTP/1.1, on sockets that others have accepted. It listens on nothing itself. */
export class Http1Server {
  readonly #options: ListenOptions;
  readonly #server: Server;
  readonly #connections = new Map<Socket, Http1Connection>();
  #isDraining = false;
  #watchesTime = false;

  constructor(options: ListenOptions, limits: Partial<Http1Limits> = {}) {
    this.#options = options;
    const { headersTimeoutMs, requestTimeoutMs, keepAliveTimeoutMs, maxHeaderBytes } = {
      ...DEFAULTS,
      ...limits,
    };
    this.#server = createServer({
      headersTimeout: headersTimeoutMs,
      requestTimeout: requestTimeoutMs,
      keepAliveTimeout: keepAliveTimeoutMs,
      maxHeaderSize: maxHeaderBytes,
      connectionsCheckingInterval: Math.min(1_000, headersTimeoutMs),
    });
    this.#server.on('request', (request, response) => this.#onRequest(request, response));
    this.#server.on('clientError', (error, socket) => this.#onClientError(error, socket as Socket));
  }

  /** @param seen what has been read from the socket already */
  take(socket: Socket, seen: Buffer): void {
    const connection = new Http1Connection(socket, this.#options);
    if (this.#isDraining) connection.drain();
    this.#connections.set(socket, connection);
    socket.once('close', () => {
      this.#connections.delete(socket);
      connection.onClosed();
    });
    if (!this.#watchesTime) {
      // node:http begins to look after its time-outs when it listens, which this one never does.
      this.#server.emit('listening');
      this.#watchesTime = true;
    }
    socket.setNoDelay(true);
    socket.pause();
    socket.unshift(seen);
    this.#server.emit('connection', socket);
    socket.resume();
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    const connection = this.#connections.get(request.socket);
    if (!connection) return void request.socket.destroy();
    connection.onRequest(request, response);
  }

  /** What is not HTTP/1.1, too much of it or too slow: one answer, where none is under way, and the end. */
  #onClientError(error: NodeJS.ErrnoException, socket: Socket): void {
    const connection = this.#connections.get(socket);
    if (!connection || !socket.writable || error.code === 'ECONNRESET') return void socket.destroy();
    if (connection.isBroken) return;
    connection.isBroken = true;
    const answer = answerTo(error);
    if (!connection.answerLast(answer)) return void socket.destroy();
    setTimeout(() => socket.destroy(), LINGER_MS).unref();
  }

  /** Connections without a request end now, the others with the answer to their last one. */
  drain(): void {
    this.#isDraining = true;
    for (const connection of this.#connections.values()) connection.drain();
  }

  /** Answers what is in flight that there is no more time. */
  cutOff(): void {
    this.drain();
    for (const [socket, connection] of [...this.#connections]) {
      connection.closedByServer();
      setTimeout(() => socket.destroy(), LINGER_MS).unref();
    }
    this.#server.close();
  }
}

function answerTo(error: NodeJS.ErrnoException) {
  switch (error.code) {
    case 'HPE_HEADER_OVERFLOW':
      return errorAnswer(
        new RpcError(Status.RESOURCE_EXHAUSTED, 'the header of the request is over the limit'),
        [],
        431,
      );
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return errorAnswer(
        new RpcError(Status.DEADLINE_EXCEEDED, 'the request took too long to come'),
        [],
        408,
      );
    default: {
      const text = `this is no HTTP/1.1 or HTTP/2: ${textOf(error).slice(0, 100)}`;
      return errorAnswer(new RpcError(Status.INVALID_ARGUMENT, text));
    }
  }
}
