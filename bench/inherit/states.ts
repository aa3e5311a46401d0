/** What a server's process has that follows its asynchronous work. */
export type State = {
  readonly name: string;
  /** The process has a client, too, so that the calls of handlers inherit deadlines. */
  readonly client: boolean;
  /** The program has an AsyncLocalStorage of its own, in which each handler runs. */
  readonly storage: boolean;
};

/** The others are compared with the first. */
export const states: readonly State[] = [
  { name: 'no AsyncLocalStorage', client: false, storage: false },
  { name: "one of the program's own", client: false, storage: true },
  { name: 'deadlines are inherited', client: true, storage: false },
  { name: 'both', client: true, storage: true },
];
