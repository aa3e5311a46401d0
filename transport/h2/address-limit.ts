import type { Socket } from 'node:net';
import type { Logger } from '../../rpc/log.js';

const QUIET_MS = 10_000;

/** How many connections one address may have, so that no peer takes all there are. */
export class AddressLimit {
  readonly #maxPerAddress: number;
  readonly #logger: Logger;
  readonly #open = new Map<string, number>();
  #refused = 0;
  #saidAt = Number.NEGATIVE_INFINITY;

  constructor(maxPerAddress: number, logger: Logger) {
    this.#maxPerAddress = maxPerAddress;
    this.#logger = logger;
  }

  /** Whether the socket may stay; its place is free again when it has closed. Unix sockets have no address. */
  admit(socket: Socket): boolean {
    const address = socket.remoteAddress;
    if (address === undefined) return true;
    const open = this.#open.get(address) ?? 0;
    if (open >= this.#maxPerAddress) {
      this.#say(address);
      return false;
    }
    this.#open.set(address, open + 1);
    socket.once('close', () => {
      const left = this.#open.get(address)! - 1;
      if (left > 0) this.#open.set(address, left);
      else this.#open.delete(address);
    });
    return true;
  }

  #say(address: string): void {
    this.#refused++;
    const now = performance.now();
    if (now - this.#saidAt < QUIET_MS) return;
    this.#saidAt = now;
    const fields = { address, limit: this.#maxPerAddress, refused: this.#refused };
    this.#logger.warn('connections over maxConnectionsPerAddress are refused', fields);
  }
}
