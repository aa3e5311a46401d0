import { RpcError } from '../../rpc/error.js';
import type { Logger } from '../../rpc/log.js';
import { Status } from '../../rpc/status.js';
import { type Fleet, startFleet } from './fleet.js';
import { forker } from './fork.js';
import { addressOf, advertiseOf, countOf, type WorkerCount } from './ports.js';
import { type Closable, serveAsWorker, workerNumber } from './worker.js';

/** What the processes of a server need of its options. */
export type Served = {
  readonly address: string;
  readonly advertise: string | undefined;
  readonly handleSignals: boolean;
  readonly transport: string;
  readonly logger: Logger;
};

/** What this process is to a server that has workers. */
export type Role =
  | {
      readonly kind: 'worker';
      readonly number: number;
      readonly listing: { readonly address: string; readonly advertise: string | undefined };
      /** Does as the first process says from now on, and tells it what becomes of the start. */
      serve(server: Closable, start: () => Promise<string>): Promise<void>;
    }
  | { readonly kind: 'first'; start(): Fleet };

let isTaken = false;

/**
 * @throws RangeError for workers that there cannot be
 * @throws RpcError FAILED_PRECONDITION where the program cannot be run once more
 */
export function roleIn(workers: WorkerCount, served: Served): Role {
  const { address, advertise, handleSignals, transport, logger } = served;
  const count = countOf(workers);
  const last = count - 1;
  addressOf(last, address);
  if (advertise !== undefined) advertiseOf(last, advertise);
  if (transport === 'memory') throw new RangeError('workers: the transport memory ends with its process');
  if (isTaken) throw refused('a program has one serve({ workers }), since each worker runs all of it');
  const number = workerNumber();
  if (number !== undefined) {
    isTaken = true;
    return {
      kind: 'worker',
      number,
      listing: {
        address: addressOf(number, address),
        advertise: advertise === undefined ? undefined : advertiseOf(number, advertise),
      },
      serve: (server, start) => serveAsWorker(server, { start, handleSignals, logger }),
    };
  }
  const program = process.argv[1];
  if (program === undefined)
    throw refused('serve({ workers }) runs a program once more, and there is no file of it');
  return {
    kind: 'first',
    start() {
      isTaken = true;
      const fleet = startFleet(count, { fork: forker(program), logger });
      fleet.started.catch(() => {
        isTaken = false;
      });
      return fleet;
    },
  };
}

const refused = (why: string) => new RpcError(Status.FAILED_PRECONDITION, why);
