import http from 'node:http';
import https from 'node:https';
import type { AgentAddress } from './agent-address.js';
import type { ConsulTls } from './tls.js';

/** A longer answer is refused while it arrives. */
export const MAX_BODY_BYTES = 8 * 1024 * 1024;

/** What is wrong with an answer beyond its status; the words are ours, so they may be shown. */
export class BadAnswer extends Error {
  override readonly name = 'BadAnswer';
}

/** An error on a kept-alive connection that the agent had closed before it could see the request. */
const lostBeforeSeen = new WeakSet<Error>();
export const wasLostBeforeSeen = (error: unknown): boolean =>
  error instanceof Error && lostBeforeSeen.has(error);

/** Nothing was sent, since only a connection that stood before would do and there was none. */
export class NotKept extends Error {
  override readonly name = 'NotKept';
}

/** There was no connection to send the request on. */
const neverSent = new WeakSet<Error>();
export const wasNeverSent = (error: unknown): boolean => error instanceof Error && neverSent.has(error);

/**
 * `request` of node:http with what npm `consul` leaves out: TLS and unix sockets; and an answer that is cut short, or
 * longer than `MAX_BODY_BYTES`, becomes an error of the request, at once; without this it would never settle.
 */
export const guardedRequest = ({ secure, socketPath }: AgentAddress, tls: ConsulTls | undefined) => {
  const { ca, cert, key, serverName } = tls ?? {};
  const always = {
    ...(socketPath === undefined ? {} : { socketPath }),
    ...(ca === undefined ? {} : { ca: pem(ca) }),
    ...(cert === undefined ? {} : { cert: pem(cert) }),
    ...(key === undefined ? {} : { key: pem(key) }),
    ...(serverName === undefined ? {} : { servername: serverName }),
  };
  return (options: http.RequestOptions, keptOnly = false): http.ClientRequest => {
    // A URL keeps the brackets of an IPv6 host, a socket must not have them.
    const hostname = options.hostname?.replace(/^\[(.*)\]$/, '$1');
    const request = (secure ? https : http).request({ ...options, hostname, ...always });
    const fail = (error: Error) => {
      request.destroy();
      request.emit('error', error);
    };
    if (keptOnly) {
      request.once('socket', () => {
        if (!request.reusedSocket) request.destroy(new NotKept('there is no kept connection'));
      });
    }
    let answered = false;
    request.on('error', (error: NodeJS.ErrnoException) => {
      if (!answered && request.reusedSocket && error.code === 'ECONNRESET') lostBeforeSeen.add(error);
      if (error.syscall === 'connect' || error.syscall === 'getaddrinfo') neverSent.add(error);
    });
    request.on('response', (response) => {
      answered = true;
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > MAX_BODY_BYTES) fail(new BadAnswer(`the answer is longer than ${MAX_BODY_BYTES} bytes`));
      });
      response.on('close', () => {
        if (!response.complete) fail(new BadAnswer('the answer was cut short'));
      });
    });
    return request;
  };
};

const pem = (text: string | Uint8Array): string | Buffer =>
  typeof text === 'string' ? text : Buffer.from(text);
