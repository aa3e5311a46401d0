/** One way of making calls, both sides of it. */
export interface Stack {
  readonly name: string;
  /** Starts the server; resolves with what the client has to know to reach it. */
  serve(registry: string): Promise<string>;
  /** Opens the client; resolves with a function that makes one call. */
  open(address: string, registry: string): Promise<() => Promise<unknown>>;
}

/** What the parent asks of the two processes of a stack, and what they answer. */
export type Ask =
  | { kind: 'open'; address: string }
  | { kind: 'run'; inFlight: number; ms: number }
  | { kind: 'cpu' };
export type Answer =
  | { kind: 'serving'; address: string }
  | { kind: 'opened' }
  | { kind: 'ran'; calls: number; ms: number; latenciesUs: number[]; cpuUs: number }
  | { kind: 'cpu'; cpuUs: number };
