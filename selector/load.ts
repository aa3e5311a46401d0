/** What this client has seen of one address, shared by every service that is there. */
export class NodeLoad {
  readonly address: string;
  /** Calls sent and not yet answered. */
  inFlight = 0;
  /** False from a connection's failure until it stands again. */
  reachable = true;

  constructor(address: string) {
    this.address = address;
  }
}
