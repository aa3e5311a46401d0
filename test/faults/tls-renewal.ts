import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, defineService, Server, silentLogger, unary } from 'lictor';
import { awaitedLog } from '../transport/awaited-log.js';
import { createAuthority } from '../transport/certificates.js';
import { mounted } from '../transport/mounted.js';
import { openLoop } from './load.js';
import { resources } from './resources.js';

const Peers = defineService('faults.Peers', { who: unary<object, { name: string; from: string }>() });
const CALLS_PER_SECOND = 500;
/** Every 25th call is made by a client of its own, and so over a connection of its own. */
const NEW_CLIENT_EVERY = 25;
const CERTIFICATES = 4;
const NAMES = ['DNS:localhost', 'IP:127.0.0.1'];

/**
 * Mutual TLS from files, of which all are swapped each second, as Kubernetes does it, at both sides: certificates, keys, and the
 * bundle of authorities, two of which sign by turns.
 * @returns figures for people
 * @throws AssertionError when a call has failed, a renewal was missed, or something is left
 */
export async function renewedEachSecond(seconds: number, transport: 'h2' | 'grpc-js'): Promise<string> {
  using one = createAuthority();
  using two = createAuthority();
  const secrets = (name: string) =>
    Array.from({ length: CERTIFICATES }, (_, n) => {
      const [mine, other] = n % 2 === 0 ? [one, two] : [two, one];
      const { cert, key } = mine.issue(`${name} ${n}`, NAMES);
      return { 'tls.crt': cert, 'tls.key': key, 'ca.crt': `${mine.cert}${other.cert}` };
    });
  const [ofServer, ofClients] = [secrets('server'), secrets('client')];
  using server = mounted(ofServer[0]!);
  using clients = mounted(ofClients[0]!);
  const files = ({ path }: typeof server) => ({
    ...{ certFile: path('tls.crt'), keyFile: path('tls.key'), caFile: path('ca.crt') },
  });
  const before = resources();
  const [serverLog, clientLog] = [awaitedLog(), awaitedLog()];
  const common = { transport, graceMs: 1_000 };
  // A machine that others keep busy is not the subject.
  const serving = new Server({ ...common, overload: false, tls: files(server), logger: serverLog.logger });
  serving.registerService(Peers, {
    who: (_, { peer }) => ({ name: peer.certificate?.commonName ?? '', from: peer.address }),
  });
  const { address: target } = await serving.serve();
  const options = { ...common, target, tls: files(clients), retry: false } as const;
  const steady = new Client({ ...options, logger: clientLog.logger });
  const steadyPlaces = new Set<string>();
  const newNames = new Map<string, number>();
  // Its files are read and followed from now on.
  await steady.service(Peers).who({});
  const load = openLoop(CALLS_PER_SECOND, async (n) => {
    if (n % NEW_CLIENT_EVERY > 0) {
      const { from } = await steady.service(Peers).who({});
      steadyPlaces.add(from);
      return;
    }
    await using fresh = new Client({ ...options, logger: silentLogger });
    const { name } = await fresh.service(Peers).who({});
    newNames.set(name, (newNames.get(name) ?? 0) + 1);
  });
  try {
    for (let n = 1; n <= seconds; n++) {
      const renewed = Promise.all([serverLog.next(/were renewed/), clientLog.next(/were renewed/)]);
      server.swap(ofServer[n % CERTIFICATES]!);
      clients.swap(ofClients[n % CERTIFICATES]!);
      await Promise.all([sleep(1_000), renewed]);
    }
  } finally {
    await load.stop();
    await steady.close();
    await serving.close();
  }
  assert.deepEqual(load.failures.map(String), [], `of ${load.sent} calls`);
  assert.equal(steadyPlaces.size, 1, 'the connection that was open was given up');
  assert.deepEqual(
    [...newNames.keys()].sort(),
    ofClients.map((_, n) => `client ${n}`),
  );
  for (const { lines } of [serverLog, clientLog]) assert.equal(lines.length, seconds, JSON.stringify(lines));
  await resources.are(before);
  const opened = [...newNames.values()].reduce((sum, count) => sum + count, 0);
  return `${load.sent} calls, 0 failed, ${opened} of them over new connections; ${seconds} renewals at each side`;
}
