import http from 'node:http';
import https from 'node:https';

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

/**
 * `request` of node:http with what npm `consul` leaves out: an answer that is cut short, or longer than
 * `MAX_BODY_BYTES`, becomes an error of the request, at once; without this it would never settle.
 */
export const guardedRequest =
  (secure: boolean) =>
  (options: http.RequestOptions): http.ClientRequest => {
    // A URL keeps the brackets of an IPv6 host, a socket must not have them.
    const hostname = options.hostname?.replace(/^\[(.*)\]$/, '$1');
    const request = (secure ? https : http).request({ ...options, hostname });
    const fail = (error: Error) => {
      request.destroy();
      request.emit('error', error);
    };
    let answered = false;
    request.on('error', (error: NodeJS.ErrnoException) => {
      if (!answered && request.reusedSocket && error.code === 'ECONNRESET') lostBeforeSeen.add(error);
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
