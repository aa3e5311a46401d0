import type { Logger } from '../../rpc/log.js';
import type { ConsulConnection } from './connection.js';

/** What both modes take. */
export type CommonOptions = ConsulConnection & {
  /** Whether clients are told what any Consul server knows, which goes on working without a leader. @default true */
  stale?: boolean | undefined;
  /**
   * Where nodes may be: networks (`'10.0.0.0/8'`), addresses and host names (`'*.internal'`); entries elsewhere are
   * skipped. @default anywhere but link-local, multicast and unspecified addresses
   */
  addressPolicy?: readonly string[] | undefined;
  /**
   * A folder in which the last list of each service is kept, so that a client starts while Consul is down: with the
   * state `stale`, until Consul answers. @default none
   */
  snapshot?: string | undefined;
  /** Where warnings of bad entries go. @default one line of JSON on stderr */
  logger?: Logger | undefined;
};
