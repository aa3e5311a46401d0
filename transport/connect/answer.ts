import type { RpcError } from '../../rpc/error.js';
import { connectCode, httpStatus } from './code.js';
import type { Fields } from './metadata.js';

/** What goes back over HTTP, whichever version; the length of the body is for those who send it. */
export type Answer = { readonly status: number; readonly fields: Fields; readonly body: Uint8Array };

/** https://connectrpc.com/docs/protocol/#error-end-stream */
const errorJson = ({ code, details }: RpcError) => ({
  code: connectCode(code),
  ...(details === '' ? {} : { message: details }),
});

/** @param status where HTTP has a better word for it than the code's own */
export const errorAnswer = (
  error: RpcError,
  fields: Fields = [],
  status: number = httpStatus(error.code),
): Answer => ({
  status,
  fields: ['content-type', 'application/json', ...fields],
  body: Buffer.from(JSON.stringify(errorJson(error))),
});

const END_STREAM = 2;

/** An error to a client that speaks Connect's streams: there it is a message, the last one, of an answer that is 200. */
export function streamErrorAnswer(error: RpcError, contentType: string): Answer {
  const json = Buffer.from(JSON.stringify({ error: errorJson(error) }));
  const body = Buffer.alloc(5 + json.length);
  body[0] = END_STREAM;
  body.writeUInt32BE(json.length, 1);
  json.copy(body, 5);
  return { status: 200, fields: ['content-type', contentType], body };
}
