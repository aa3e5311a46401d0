import { Status } from '../../rpc/status.js';

/** What Connect calls a status, and the HTTP status beside it: https://connectrpc.com/docs/protocol/#error-codes */
const codes: Readonly<Record<Status, readonly [name: string, httpStatus: number]>> = {
  [Status.OK]: ['unknown', 500], // An error with the code OK is a mistake in a handler.
  [Status.CANCELLED]: ['canceled', 499],
  [Status.UNKNOWN]: ['unknown', 500],
  [Status.INVALID_ARGUMENT]: ['invalid_argument', 400],
  [Status.DEADLINE_EXCEEDED]: ['deadline_exceeded', 504],
  [Status.NOT_FOUND]: ['not_found', 404],
  [Status.ALREADY_EXISTS]: ['already_exists', 409],
  [Status.PERMISSION_DENIED]: ['permission_denied', 403],
  [Status.RESOURCE_EXHAUSTED]: ['resource_exhausted', 429],
  [Status.FAILED_PRECONDITION]: ['failed_precondition', 400],
  [Status.ABORTED]: ['aborted', 409],
  [Status.OUT_OF_RANGE]: ['out_of_range', 400],
  [Status.UNIMPLEMENTED]: ['unimplemented', 501],
  [Status.INTERNAL]: ['internal', 500],
  [Status.UNAVAILABLE]: ['unavailable', 503],
  [Status.DATA_LOSS]: ['data_loss', 500],
  [Status.UNAUTHENTICATED]: ['unauthenticated', 401],
};

/** `not_found` */
export const connectCode = (status: Status): string => codes[status][0];
export const httpStatus = (status: Status): number => codes[status][1];
