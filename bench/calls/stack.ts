/** One way of making calls, both sides of it. Each side is started in a process of its own. */
export interface Stack {
  /** Starts a server; resolves with the address that its client needs. */
  serve(options: ServeOptions): Promise<string>;
  /** Opens a client with a connection of its own. */
  open(address: string, options: OpenOptions): Promise<Caller>;
}

export type ServeOptions = {
  readonly registry: string;
  /** Clients of a group find the servers of that group only. */
  readonly group: string;
  readonly tls: Certificate | undefined;
};
export type OpenOptions = ServeOptions;
export type Certificate = { readonly cert: string; readonly key: string };

/** The methods of bench.proto as a program of that stack calls them. One left out cannot be done. */
export interface Caller {
  say(text: string): Promise<Text>;
  carry(payload: Payload): Promise<{ data: { length: number } }>;
  count?(messages: number): AsyncIterable<unknown>;
  chat?(requests: AsyncIterable<Text>): AsyncIterable<unknown>;
}

export type Text = { text: string };
/** The same bytes twice, for stacks whose messages cannot hold bytes. */
export type Payload = { readonly data: Buffer; readonly text: string };

/** A call that takes longer is cut off, in the stacks that have time-outs. */
export const TIMEOUT_MS = 10_000;

/** What the parent asks of the two processes of a stack, and what they answer. */
export type Ask =
  | ({ ask: 'serve' } & ServeOptions)
  | ({ ask: 'open'; address: string } & OpenOptions)
  | { ask: 'run'; kind: string; inFlight: number; tls: boolean; ms: number }
  | { ask: 'usage' }
  | {
      ask: 'hold';
      per: 'connection' | 'stream';
      count: number;
      address: string;
      registry: string;
      group: string;
    };
export type Answers = {
  serve: string;
  /** How long the first call took, connecting included. */
  open: { firstCallMs: number };
  run: Ran;
  usage: { cpuUs: number; heapBytes: number; residentBytes: number };
  hold: undefined;
};
export type Ran = { messages: number; ms: number; cpuUs: number; p50Us: number; p99Us: number };
export type Answer = { value: unknown } | { error: string };
