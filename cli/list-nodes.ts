import { catalogOf } from '../plugin/consul/catalog.js';
import { instancesOf } from '../plugin/consul/catalog-mode/catalog-mode.js';
import type { ConsulClient } from '../plugin/consul/client.js';
import { connectConsul } from '../plugin/consul/connection.js';
import { consul } from '../plugin/consul/consul.js';
import { checkPrefix, folderOf } from '../plugin/consul/entry.js';
import { type Told, toldOf } from '../plugin/consul/found.js';
import { permissionToList } from '../plugin/consul/health.js';
import { hiddenFrom, mayRead } from '../plugin/consul/hidden.js';
import { kvOf } from '../plugin/consul/kv.js';
import { RpcError } from '../rpc/error.js';
import { stderrLogger } from '../rpc/log.js';
import { checkServiceName } from '../rpc/name.js';
import { Status } from '../rpc/status.js';
import type { Node } from '../selector/node.js';
import { untilInterrupted } from './interrupted.js';
import { table } from './table.js';

export type NodesOptions = {
  readonly mode: 'kv' | 'catalog';
  readonly prefix?: string;
  readonly address?: string;
  readonly datacenter?: string;
  readonly tag: readonly string[];
  readonly follow: boolean;
  readonly json: boolean;
};

/** A node, and in catalog mode what its checks say. */
type Row = Node & { readonly health?: string };

/** The exit code when Consul was asked and lists nobody. */
const NOBODY = 2;

/** @throws RpcError when Consul cannot be asked, or an option is bad */
export async function listNodes(service: string, options: NodesOptions): Promise<void> {
  const { mode, prefix, tag, follow } = options;
  if (mode === 'catalog' && prefix !== undefined) throw onlyIn('--prefix', 'kv');
  if (mode === 'kv' && tag.length > 0) throw onlyIn('--tag', 'catalog');
  checkServiceName(service);
  const client = connectConsul(options);
  const { signal, [Symbol.dispose]: forget } = untilInterrupted();
  const print = options.json ? jsonPrinter(service) : tablePrinter(service);
  let staleSince: Date | undefined;
  let known = false;
  try {
    for await (const event of rowsOf(client, service, options, signal)) {
      if (event.kind === 'nodes') {
        const rows = event.nodes;
        staleSince = undefined;
        known = true;
        print({ kind: rows.length > 0 ? 'ready' : 'empty' }, rows);
        if (follow) continue;
        if (rows.length > 0) return;
        await refuseHidden(client, service, options);
        process.exitCode = NOBODY;
        console.error(`lictor: ${await nobody(client, service, options)}`);
        return;
      }
      if (!follow) throw event.error;
      staleSince ??= new Date();
      const reason = event.error.details;
      print(known ? { kind: 'stale', since: staleSince.toISOString(), reason } : { kind: 'failed', reason });
    }
    if (!follow) process.exitCode = 130; // Interrupted before there was an answer.
  } finally {
    forget();
  }
}

type State =
  | { readonly kind: 'ready' | 'empty' }
  | { readonly kind: 'stale'; readonly since: string; readonly reason: string }
  | { readonly kind: 'failed'; readonly reason: string };

/** @param rows absent when they are not known, or as they were */
type Print = (state: State, rows?: readonly Row[]) => void;

const jsonPrinter =
  (service: string): Print =>
  ({ kind: state, ...more }, rows) => {
    const time = new Date().toISOString();
    console.log(JSON.stringify({ time, service, state, ...more, ...(rows ? { nodes: rows } : {}) }));
  };

const tablePrinter =
  (service: string): Print =>
  (state, rows) => {
    const time = new Date().toISOString().slice(11, 19);
    if (!rows) {
      const since =
        state.kind === 'stale' ? ` since ${state.since.slice(11, 19)}, the list above is kept` : '';
      console.log(`${time} ${service}: ${state.kind}${since}: ${'reason' in state ? state.reason : ''}`);
      return;
    }
    console.log(`${time} ${service}: ${state.kind}, ${rows.length} ${rows.length === 1 ? 'node' : 'nodes'}`);
    if (rows.length === 0) return;
    const head = ['ADDRESS', 'WEIGHT', 'ZONE', 'HEALTH', 'TAGS', 'META'];
    console.log(table([head, ...rows.map(cellsOf)]));
  };

const cellsOf = ({ address, weight, zone, health, tags, meta }: Row): string[] => [
  address,
  String(weight),
  zone ?? '',
  health ?? 'listed',
  tags.join(' '),
  Object.entries(meta)
    .map(([key, value]) => `${key}=${value}`)
    .join(' '),
];

async function* rowsOf(
  client: ConsulClient,
  service: string,
  { mode, prefix, address, datacenter, tag }: NodesOptions,
  signal: AbortSignal,
): AsyncGenerator<Told<Row>, void, undefined> {
  if (mode === 'kv') {
    yield* consul({ prefix, address, datacenter }).watch(service, signal);
    return;
  }
  const query = { passing: false, tags: tag, logger: stderrLogger };
  for await (const event of toldOf(instancesOf(client, service, query, signal), signal))
    yield event.kind === 'nodes'
      ? { kind: 'nodes', nodes: event.nodes.map(({ node, health }) => ({ ...node, health })) }
      : event;
}

/** @throws RpcError PERMISSION_DENIED when nobody is listed because the token may not read who is there */
async function refuseHidden(client: ConsulClient, service: string, { mode, prefix }: NodesOptions) {
  if (mode === 'kv') {
    const folder = folderOf(checkPrefix(prefix ?? ''), service);
    const kv = kvOf(client);
    if (!(await kv.mayRead(folder))) throw kv.denied(folder);
    return;
  }
  if (await mayRead(client, [{ resource: 'service', name: service }])) return;
  const what = `list the instances of ${JSON.stringify(service)}`;
  throw hiddenFrom(client, what, permissionToList(service));
}

/** Why there may be nobody. */
async function nobody(client: ConsulClient, service: string, options: NodesOptions): Promise<string> {
  const other =
    options.mode === 'kv'
      ? `with --mode catalog it looks for servers that register so${options.prefix ? '' : ', with --prefix for those that have one'}`
      : 'without --mode catalog it looks for servers that register as keys';
  const names =
    options.mode === 'catalog'
      ? await catalogOf(client)
          .services({ stale: true })
          .then(({ value }) => [...value.keys()])
          .catch(() => [])
      : [];
  const shown = names.length === 0 ? '' : ` The catalog has: ${names.sort().slice(0, 20).join(', ')}.`;
  return `no node of ${service} is listed at consul ${client.agent}; ${other}.${shown}`;
}

const onlyIn = (option: string, mode: string) =>
  new RpcError(Status.INVALID_ARGUMENT, `${option} is for --mode ${mode}`);
