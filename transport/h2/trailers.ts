import { RpcError } from '../../rpc/error.js';
import type { Metadata } from '../../rpc/metadata.js';
import { Status } from '../../rpc/status.js';
import { addMetadata, encodeMessage, listBytes } from './headers.js';
import type { Ending } from './owner.js';
import type { Fields } from './stream.js';

/** Characters of an error's text that travel: each becomes up to nine bytes. */
const MAX_MESSAGE = 2_048;
/** Of those, when even the text alone is more than the peer takes. */
const SHORT_MESSAGE = 128;

/** Trailers, or headers that are trailers too (with `:status` and content type, when nothing was sent before). */
export function trailerFields(
  code: Status,
  message: string,
  metadata: readonly (Metadata | undefined)[],
  only: Ending['only'],
): string[] {
  const fields = only ? [':status', '200', 'content-type', only.contentType] : [];
  fields.push('grpc-status', String(code));
  if (message) fields.push('grpc-message', encodeMessage(message.slice(0, MAX_MESSAGE)));
  for (const one of metadata) if (one) addMetadata(fields, one);
  return fields;
}

/**
 * The trailers of a call, in what its client takes: one that gets more may end the connection, and with it the calls
 * of others. What goes first is the metadata, since the status and its text are worth more.
 */
export function fittingTrailers({ error, trailer, only }: Ending, maxBytes: number): Fields {
  const { code, details } = error ?? { code: Status.OK, details: '' };
  const whole = trailerFields(code, details, [trailer, error?.metadata], only);
  const bytes = listBytes(whole);
  if (bytes <= maxBytes) return whole;
  const { code: toldCode, details: text } = error ?? tooLarge('trailer', bytes, maxBytes);
  const told = error
    ? `${text} (its metadata was too large: ${bytes} bytes, the client takes ${maxBytes})`
    : text;
  const bare = trailerFields(toldCode, told, [], only);
  return listBytes(bare) <= maxBytes ? bare : trailerFields(toldCode, text.slice(0, SHORT_MESSAGE), [], only);
}

export const tooLarge = (what: string, bytes: number, maxBytes: number): RpcError =>
  new RpcError(Status.INTERNAL, `the ${what} of the reply has ${bytes} bytes, its client takes ${maxBytes}`);
