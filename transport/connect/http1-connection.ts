import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Peer } from '../../rpc/call.js';
import { RpcError } from '../../rpc/error.js';
import { Status } from '../../rpc/status.js';
import { peerOfSocket } from '../peer.js';
import type { ListenOptions } from '../transport.js';
import { type Answer, errorAnswer } from './answer.js';
import { ConnectCall } from './call.js';
import { requestHead } from './request-head.js';

/** A client that takes nothing of its answer for so long is gone. */
const WRITE_TIMEOUT_MS = 30_000;

/** What one connection has in flight. With pipelining that may be several requests, answered in their order. */
export class Http1Connection {
  /** It has sent what cannot be read on. */
  isBroken = false;
  readonly #socket: Socket;
  readonly #peer: Peer;
  readonly #options: ListenOptions;
  readonly #calls = new Set<ConnectCall>(); // Not answered.
  readonly #responses = new Set<ServerResponse>(); // Not sent, or not to the end.
  #newest: ServerResponse | undefined;
  #isDraining = false;
  #isEnding = false;
  #idleSince = -1; // What had been read from the socket when the last answer was sent.

  constructor(socket: Socket, options: ListenOptions) {
    this.#socket = socket;
    this.#peer = peerOfSocket(socket);
    this.#options = options;
  }

  onRequest(request: IncomingMessage, response: ServerResponse): void {
    if (this.#isEnding) return; // Too late to be answered, so it must not run.
    this.#newest = response;
    this.#responses.add(response);
    response.once('finish', () => this.#sent(response));
    const fields = request.rawHeaders.map((text, i) => (i % 2 === 0 ? text.toLowerCase() : text));
    const { routes, maxStreamsPerConnection } = this.#options;
    const head = requestHead(request.method ?? '', request.url ?? '', fields, routes);
    if ('status' in head) return this.#refuse(request, response, head);
    if (this.#calls.size >= maxStreamsPerConnection) {
      const text = `the connection has ${this.#calls.size} calls in flight, its limit`;
      return this.#refuse(
        request,
        response,
        errorAnswer(new RpcError(Status.RESOURCE_EXHAUSTED, text, { maybeExecuted: false })),
      );
    }
    const call: ConnectCall = new ConnectCall(head, this.#peer, this.#options, (answer) => {
      this.#calls.delete(call);
      this.#send(response, answer);
    });
    this.#calls.add(call);
    this.#socket.setTimeout(0);
    this.#read(request, (chunk) => call.onData(chunk));
    request.on('end', () => call.onEnd());
  }

  #refuse(request: IncomingMessage, response: ServerResponse, answer: Answer): void {
    this.#read(request, () => false);
    this.#send(response, answer);
  }

  /** What comes after an answer is read and dropped, so that the answer is seen, but not for ever. */
  #read(request: IncomingMessage, onData: (chunk: Buffer) => boolean): void {
    let unwanted = 0;
    request.on('data', (chunk: Buffer) => {
      if (onData(chunk)) return;
      unwanted += chunk.length;
      if (unwanted > this.#options.maxMessageBytes) this.#socket.destroy();
    });
  }

  #send(response: ServerResponse, { status, fields, body }: Answer): void {
    if (this.#socket.destroyed) return;
    const all = [...fields, 'content-length', String(body.length)];
    // With pipelining this answer need not be the last one sent: only the newest request's may say so.
    if (this.#isDraining && response === this.#newest) {
      all.push('connection', 'close');
      this.#isEnding = true;
    }
    response.writeHead(status, all);
    response.end(body);
    // node:http sets its own time-outs when the next request comes or is waited for.
    if (this.#calls.size === 0) this.#socket.setTimeout(WRITE_TIMEOUT_MS);
  }

  #sent(response: ServerResponse): void {
    this.#responses.delete(response);
    if (this.#responses.size > 0) return;
    this.#idleSince = this.#socket.bytesRead;
    if (this.#isDraining) this.#end();
  }

  /** The connection ends with the answer to its newest request, or now if it has none. */
  drain(): void {
    this.#isDraining = true;
    if (this.#responses.size === 0 && this.#socket.bytesRead === this.#idleSince) this.#end();
  }

  #end(): void {
    this.#isEnding = true;
    this.#socket.destroySoon();
  }

  /** Answers outside of any request. False when that would get between the answers that are under way. */
  answerLast({ status, fields, body }: Answer): boolean {
    if (this.#responses.size > this.#calls.size || this.#responses.size > 1) return false;
    let head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nconnection: close\r\n`;
    for (let i = 0; i < fields.length; i += 2) head += `${fields[i]}: ${fields[i + 1]}\r\n`;
    this.#socket.end(
      Buffer.concat([Buffer.from(`${head}content-length: ${body.length}\r\n\r\n`, 'latin1'), body]),
    );
    this.#lost();
    return true;
  }

  closedByServer(): void {
    for (const call of [...this.#calls]) call.closedByServer();
  }

  onClosed(): void {
    this.#lost();
    this.#responses.clear();
  }

  #lost(): void {
    const calls = [...this.#calls];
    this.#calls.clear();
    for (const call of calls) call.onLost(new RpcError(Status.CANCELLED, 'the client closed the connection'));
  }
}
