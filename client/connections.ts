import { outsideCalls } from '../rpc/async-context.js';
import type { Connection, ConnectOptions, Engine } from '../transport/transport.js';

/** One connection per address: opened on first use, shared by calls, closed when the node is gone. */
export class Connections {
  readonly #engine: Engine;
  #options: Omit<ConnectOptions, 'address' | 'onReachable'>;
  readonly #onReachable: (address: string, reachable: boolean) => void;
  readonly #open = new Map<string, Connection>();
  readonly #leaving = new Set<Promise<void>>();
  readonly #graceMs: number;

  constructor(
    engine: Engine,
    options: Omit<ConnectOptions, 'address' | 'onReachable'>,
    graceMs: number,
    onReachable: (address: string, reachable: boolean) => void,
  ) {
    this.#engine = engine;
    this.#options = options;
    this.#graceMs = graceMs;
    this.#onReachable = onReachable;
  }

  get(address: string): Connection {
    return this.#open.get(address) ?? this.#connect(address);
  }

  has(address: string): boolean {
    return this.#open.has(address);
  }

  /** Its calls in flight end in their own time; what comes later opens a new connection. */
  drop(address: string): void {
    const connection = this.#open.get(address);
    if (!connection) return;
    this.#open.delete(address);
    const left = connection.close(this.#graceMs).finally(() => this.#leaving.delete(left));
    this.#leaving.add(left);
  }

  get maxMessageBytes(): number {
    return this.#options.maxMessageBytes;
  }

  /** A connection has the limit it was opened with; so those that are open are left for new ones. */
  set maxMessageBytes(bytes: number) {
    if (bytes === this.#options.maxMessageBytes) return;
    this.#options = { ...this.#options, maxMessageBytes: bytes };
    for (const address of [...this.#open.keys()]) {
      this.drop(address);
      // It will not say any more that its node is back; whether it is, the next connection finds out.
      this.#onReachable(address, true);
    }
  }

  /** For those that have failed for want of what has changed now. */
  connectNow(): void {
    outsideCalls(() => {
      for (const connection of this.#open.values()) connection.connectNow?.();
    });
  }

  async close(): Promise<void> {
    for (const address of [...this.#open.keys()]) this.drop(address);
    await Promise.all(this.#leaving);
  }

  #connect(address: string): Connection {
    const connection: Connection = this.#engine.connect({
      ...this.#options,
      address,
      onReachable: (reachable) => {
        // A connection that was dropped has no say in whether its node, listed again, can be reached.
        if (this.#open.get(address) === connection) this.#onReachable(address, reachable);
      },
    });
    this.#open.set(address, connection);
    return connection;
  }
}
