import type { StatusObject } from '@grpc/grpc-js';
import { RpcError } from '../../rpc/error.js';
import { receivedError } from '../../rpc/not-executed.js';
import { Status, statusFrom } from '../../rpc/status.js';
import { fromGrpc } from './metadata.js';

/** Details of grpc-js for calls that never had a connection. Every other text counts as "may have run". */
const NEVER_SENT = /^(No connection established|Channel closed before call started|Name resolution failed)/;

/** The text of grpc-js for its own deadline; what follows tells a call that still waited for its connection. */
const LATE = /^Deadline exceeded( after |$)/;
const WAITED = /waiting for /i;

/** The text of grpc-js for calls whose connection broke; it does not say to whom. */
const DROPPED = 'Connection dropped';

/** Details of grpc-js for a stream that was reset as cancelled, though not from this side: a server that was cut off. */
const RESET = 'Call cancelled';

/**
 * For a call that was not cancelled from this side. The texts above count only where grpc-js made the status itself: a
 * handler may forward one of them, and its call has run.
 * @param headerCame whether the server has answered with a header
 */
export function errorFrom(status: StatusObject, address: string, headerCame: boolean): RpcError {
  if (typeof status.code !== 'number') return uninflated(address);
  const code = statusFrom(status.code);
  // A status that came over the wire has headers beside it; grpc-js makes its own without any.
  const isOwn = !headerCame && Object.keys(status.metadata.getMap()).length === 0;
  const { text, maybeExecuted } = isOwn ? ownError(code, status.details, address) : asSent(status.details);
  const known = isOwn && code === Status.CANCELLED && status.details === RESET ? Status.UNAVAILABLE : code;
  const metadata = fromGrpc(status.metadata);
  return isOwn
    ? new RpcError(known, text, { metadata, maybeExecuted })
    : receivedError(known, text, metadata, headerCame);
}

/** What grpc-js throws for it has neither code nor text. */
const uninflated = (address: string) =>
  new RpcError(
    Status.INTERNAL,
    `a compressed reply of ${address} could not be inflated: its grpc-encoding is none that is known here`,
  );

type Told = { readonly text: string; readonly maybeExecuted: boolean };

const asSent = (text: string): Told => ({ text, maybeExecuted: true });

function ownError(code: Status, details: string, address: string): Told {
  if (code === Status.CANCELLED && details === RESET)
    return asSent(`the server at ${address} dropped the call`);
  if (code === Status.DEADLINE_EXCEEDED && LATE.test(details)) {
    return { text: `no reply within the time-out from ${address}`, maybeExecuted: !WAITED.test(details) };
  }
  if (code !== Status.UNAVAILABLE) return asSent(details);
  if (NEVER_SENT.test(details)) {
    // A note on the resolution is announced even when there is none.
    const why = details.replace(/\.? Resolution note: $/, '');
    return { text: `no connection to ${address}: ${why}`, maybeExecuted: false };
  }
  if (details === DROPPED) return asSent(`the connection to ${address} was lost during the call`);
  return asSent(`the connection to ${address} was lost during the call: ${details}`);
}
