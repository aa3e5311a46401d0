import { outsideCalls } from '../../rpc/async-context.js';

const MINUTE_MS = 60_000;
/** Nothing is gained by more patience than that of TCP's own keepalive (RFC 1122, 4.2.3.6). */
const MOST_MS = 120 * MINUTE_MS;
/**
 * Pings at the quick pace that a server gets while it answers nothing but them. gRPC's servers end a connection with
 * the fourth: the first is free, two are too many but pardoned.
 */
const MAX_QUICK = 2;

/**
 * How often a silent server is asked whether it is there. One for all connections to an address, since it is the
 * server that says what it bears (gRFC A8).
 */
export class PingPace {
  /** Of silence, before a ping. */
  quickMs = 10_000;
  /** Between pings, when the server has had its quick ones: what gRPC's servers take for ever. */
  patientMs = 5 * MINUTE_MS;
  /** From a ping to the first byte of an answer. */
  timeoutMs = 3_000;
  /**
   * The same two for a server that welcomes pings, as ours do: that it hangs is known within 2.5 s. Its event loop may
   * stand still for longer than a second without being given up.
   */
  readonly welcomeMs = 1_000;
  readonly welcomeTimeoutMs = 1_500;

  /** The server has ended a connection for `too_many_pings`. */
  slowDown(): void {
    this.quickMs = Math.min(this.quickMs * 2, MOST_MS);
    this.patientMs = Math.min(this.patientMs * 2, MOST_MS);
  }
}

export type KeepaliveOwner = {
  ping(): void;
  /** Without calls there is nobody whom the answer concerns, and gRPC's servers take pings amiss. */
  hasCalls(): boolean;
  /** Whether the server has said that it takes pings at the quick pace for ever. */
  welcomesPings(): boolean;
  /** Nothing has come since the ping. */
  onDead(): void;
};

/** Finds out that the peer of a connection is gone, although the connection stands: it froze, or the line is cut. */
export class Keepalive {
  readonly #owner: KeepaliveOwner;
  readonly #pace: PingPace;
  #timer: NodeJS.Timeout | undefined;
  #heardAt = performance.now();
  #pingedAt = Number.NEGATIVE_INFINITY;
  #quickPings = 0;
  #isWaiting = false; // For what follows a ping.
  #isDue = false; // A ping, as soon as there is a call.
  #wasGivenUp = false; // A call, since the last bytes came.
  #isStopped = false;

  constructor(owner: KeepaliveOwner, pace: PingPace) {
    this.#owner = owner;
    this.#pace = pace;
    this.#arm(pace.quickMs);
  }

  /** Bytes have come. */
  heard(): void {
    this.#heardAt = performance.now();
    this.#wasGivenUp = false;
  }

  /**
   * A call was given up before its answer had come. Of a server that welcomes pings it is found out whether it hangs
   * also when no call is left: whoever leaves it out for its silence wants to know when it is back.
   */
  gaveUp(): void {
    this.#wasGivenUp = true;
    if (this.#isDue) this.#look();
  }

  /** HEADERS or DATA have come: with them a server pardons all pings before. */
  answered(): void {
    this.#quickPings = 0;
  }

  /** The server has said whether it welcomes pings. */
  settingsCame(): void {
    if (!this.#isWaiting && this.#owner.welcomesPings()) this.#arm(this.#pace.welcomeMs);
  }

  get timeoutMs(): number {
    return this.#owner.welcomesPings() ? this.#pace.welcomeTimeoutMs : this.#pace.timeoutMs;
  }

  get #quickMs(): number {
    return this.#owner.welcomesPings() ? this.#pace.welcomeMs : this.#pace.quickMs;
  }

  /** The first call of a connection that had none. If the peer has been silent, its end is not to wait for its deadline. */
  called(): void {
    if (this.#isDue) this.#look();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  #arm(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = outsideCalls(() => setTimeout(this.#look, Math.ceil(ms)).unref());
  }

  readonly #look = (): void => {
    if (this.#isWaiting) {
      // After a pause of the process an answer may lie unread; it is read before the next check phase.
      setImmediate(this.#judge);
      return;
    }
    const left = this.#dueAt - performance.now();
    if (left > 0) {
      this.#isDue = false;
      return this.#arm(Math.min(left, this.#quickMs)); // Patience may end before its time, by an answer.
    }
    this.#isDue = !this.#owner.hasCalls() && !(this.#wasGivenUp && this.#owner.welcomesPings());
    if (this.#isDue) return;
    this.#isWaiting = true;
    this.#quickPings++;
    this.#pingedAt = performance.now();
    this.#owner.ping();
    this.#arm(this.timeoutMs);
  };

  get #dueAt(): number {
    const quick = this.#heardAt + this.#quickMs;
    if (this.#quickPings < MAX_QUICK || this.#owner.welcomesPings()) return quick;
    // The server counts from when it has the ping, which is before it has answered it.
    return Math.max(quick, this.#pingedAt + this.timeoutMs + this.#pace.patientMs);
  }

  readonly #judge = (): void => {
    if (this.#isStopped) return;
    this.#isWaiting = false;
    if (this.#heardAt < this.#pingedAt) this.#owner.onDead();
    else this.#look();
  };
}
