/** The 17 gRPC status codes, as numbers on the wire and names in code. */
export const Status = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;

export type Status = (typeof Status)[keyof typeof Status];
export type StatusName = keyof typeof Status;

const names = Object.keys(Status) as StatusName[];

/** The name of a code: `statusName(14)` is `'UNAVAILABLE'`. */
export const statusName = (code: Status): StatusName => names[code] ?? 'UNKNOWN';

/** A number from a peer as a code; what gRPC does not define is UNKNOWN. */
export const statusFrom = (code: number): Status =>
  typeof code === 'number' && code in names ? (code as Status) : Status.UNKNOWN;
