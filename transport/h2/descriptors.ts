import { closeSync, openSync } from 'node:fs';
import { devNull } from 'node:os';
import type { Logger } from '../../rpc/log.js';

const QUIET_MS = 10_000;

/**
 * Says when a server cannot take connections, since its process has no file descriptor left. libuv accepts and closes
 * them then, with one that it keeps for that, and tells nobody; so it is found out by opening something.
 */
export class Descriptors {
  readonly #logger: Logger;
  readonly #open: () => void;
  #saidAt = Number.NEGATIVE_INFINITY;

  constructor(logger: Logger, open = openAndClose) {
    this.#logger = logger;
    this.#open = open;
  }

  /** Looks whether there is one left. */
  check(now: number): void {
    try {
      this.#open();
    } catch (reason) {
      this.failed(reason, now);
    }
  }

  /** A connection could not be accepted: what libuv keeps is gone, too. */
  failed(reason: unknown, now: number): void {
    if (now - this.#saidAt < QUIET_MS) return;
    this.#saidAt = now;
    this.#logger.warn('connections cannot be accepted; is the limit of open files (ulimit -n) reached?', {
      error: reason,
    });
  }
}

const openAndClose = () => closeSync(openSync(devNull, 'r'));
