import { isServiceName } from '../../rpc/name.js';
import { ENTRY_FLAGS, folderOf, parseEntry } from './entry.js';
import type { KeyValue, Kv } from './kv.js';
import { isOfOneMachine, type Probe, probe } from './probe.js';

/** An entry that no session holds, so that only its server, or a person, takes it away. */
export type PlainEntry = {
  readonly key: string;
  readonly address: string;
  /** Of the state that was looked at: what has changed since is not removed. */
  readonly modifyIndex: bigint;
  readonly probe: Probe;
};

export type PlainEntriesOptions = {
  prefix: string;
  /** @default every service under the prefix */
  service?: string | undefined;
  /** For one connection. */
  timeoutMs: number;
  /** Whether `localhost` of an entry is this machine. */
  isLocal: boolean;
};

const CONNECTIONS = 16;

/**
 * Finds the entries without a session, and tries whether a server listens. Only what is certainly an entry is looked
 * at: with the flags of one, under a service's name and its own address.
 * @throws RpcError PERMISSION_DENIED when the token may not read what is there
 */
export async function plainEntries(
  kv: Kv,
  { prefix, service, timeoutMs, isLocal }: PlainEntriesOptions,
): Promise<readonly PlainEntry[]> {
  const folder = service === undefined ? prefix : folderOf(prefix, service);
  const { entries, isFiltered } = await kv.list(folder);
  // A listing leaves out what the token may not read, a read of a key is refused.
  if (entries.length === 0 && (isFiltered || !(await kv.mayRead(folder)))) throw kv.denied(folder);
  const found = entries.flatMap((entry) => {
    const address = plainAddress(entry, prefix);
    return address === undefined ? [] : [{ key: entry.key, modifyIndex: entry.modifyIndex, address }];
  });
  const probes = new Map<string, Probe>();
  const addresses = [...new Set(found.map(({ address }) => address))];
  const next = async (): Promise<void> => {
    for (let address = addresses.pop(); address !== undefined; address = addresses.pop()) {
      const isElsewhere = !isLocal && isOfOneMachine(address);
      probes.set(
        address,
        isElsewhere
          ? { kind: 'silent', code: "another machine's loopback" }
          : await probe(address, timeoutMs),
      );
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, next));
  return found.map((entry) => ({ ...entry, probe: probes.get(entry.address)! }));
}

function plainAddress(entry: KeyValue, prefix: string): string | undefined {
  const { key, value, flags, session } = entry;
  // Consul's clients for other things set these flags too, on their locks; those are not named after an address.
  if (session !== undefined || flags !== Number(ENTRY_FLAGS)) return undefined;
  const [service, address, ...more] = key.slice(prefix.length).split('/');
  if (more.length > 0 || address === undefined || !isServiceName(service!)) return undefined;
  try {
    return parseEntry(value).address === address ? address : undefined;
  } catch {
    return undefined;
  }
}
