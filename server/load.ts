/** What a server has to do at a moment. */
export type ServerLoad = {
  /** Calls that run, and those that wait for their turn. */
  readonly inFlight: number;
  readonly queued: number;
  /** The bytes of their requests. */
  readonly queuedBytes: number;
  /** How many unary calls that began in the last second may run at a time now. */
  readonly limit: number;
  /** Calls that were refused because there was too much to do. */
  readonly refused: number;
  /** How late the event loop was in the last tenth of a second, in milliseconds. */
  readonly loopDelayMs: number;
};
