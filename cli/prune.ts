import { type Command, InvalidArgumentError, Option } from 'commander';
import type { PlainEntry } from '../plugin/consul/plain-entries.js';

export type PruneOptions = {
  readonly address?: string;
  readonly tokenFile?: string;
  readonly datacenter?: string;
  readonly prefix: string;
  readonly service?: string;
  readonly remove?: true;
  readonly unreachable?: true;
  readonly timeout: number;
};

/** Stale entries were found, and not removed. */
const EXIT_STALE = 2;

/** `lictor prune`: entries in Consul's key-value store that crashed servers without a session have left. */
export function addPrune(program: Command): void {
  program
    .command('prune')
    .description(
      'list entries in Consul that no session holds and where nobody listens; exits with 2 when there are any',
    )
    .option('-a, --address <address>', 'the Consul agent (default: CONSUL_HTTP_ADDR, or 127.0.0.1:8500)')
    .option('--token-file <path>', 'a file with the ACL token (default: CONSUL_HTTP_TOKEN or its _FILE)')
    .option('--datacenter <name>', "(default: the agent's own)")
    .option('-p, --prefix <prefix>', 'what stands before the service in the keys; ends in /', '')
    .option('-s, --service <name>', 'only this service (default: all under the prefix)')
    .option('--remove', 'delete what is listed, unless it has changed meanwhile')
    .addOption(new Option('--dry-run', 'delete nothing, which is the default').conflicts('remove'))
    .option('--unreachable', 'list those too whose machine does not answer; it may just be cut off from here')
    .option('--timeout <ms>', 'for one connection', milliseconds, 2_000)
    .action(async (options: PruneOptions) => {
      process.exitCode = await prune(options, console.log);
    });
}

async function prune(options: PruneOptions, print: (line: string) => void): Promise<number> {
  const [
    { parseAgentAddress },
    { connectConsul },
    { checkPrefix },
    { kvOf },
    { plainEntries },
    { isOfOneMachine },
  ] = await Promise.all([
    import('../plugin/consul/agent-address.js'),
    import('../plugin/consul/connection.js'),
    import('../plugin/consul/entry.js'),
    import('../plugin/consul/kv.js'),
    import('../plugin/consul/plain-entries.js'),
    import('../plugin/consul/probe.js'),
  ]);
  const { address, tokenFile, datacenter, service, timeout: timeoutMs } = options;
  const prefix = checkPrefix(options.prefix);
  const client = connectConsul({ address, tokenFile, datacenter });
  const kv = kvOf(client);
  const agent = parseAgentAddress(client.agent);
  const isLocal = agent.socketPath !== undefined || isOfOneMachine(`${bracketed(agent.host)}:${agent.port}`);
  const entries = await plainEntries(kv, { prefix, service, timeoutMs, isLocal });
  const stale = entries.filter(({ probe }) => isListed(probe, options.unreachable ?? false));

  const rows: string[][] = [];
  let left = 0;
  for (const { key, address, modifyIndex, probe } of stale) {
    let done = '';
    if (options.remove) {
      const isGone = await kv.delete(key, { cas: modifyIndex });
      if (!isGone) left++;
      done = isGone ? 'removed' : 'has changed, left';
    }
    rows.push([key, address, stateOf(probe), done]);
  }
  if (rows.length > 0) for (const line of table([['KEY', 'ADDRESS', 'STATE', ''], ...rows])) print(line);
  const silent = entries.filter(({ probe }) => probe.kind === 'silent').length;
  const unlisted = options.unreachable || silent === 0 ? '' : `, ${silent} unreachable (see --unreachable)`;
  print(`${stale.length} stale of ${entries.length} without a session${unlisted}`);
  if (options.remove) return left === 0 ? 0 : 1;
  return stale.length === 0 ? 0 : EXIT_STALE;
}

const bracketed = (host: string) => (host.includes(':') ? `[${host}]` : host);

const isListed = ({ kind }: PlainEntry['probe'], withSilent: boolean) =>
  kind === 'refuses' || (withSilent && kind === 'silent');

const stateOf = (probe: PlainEntry['probe']) =>
  probe.kind === 'silent' ? `unreachable (${probe.code})` : 'nobody listens';

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  );
}

function milliseconds(text: string): number {
  const value = Number(text);
  if (!(Number.isInteger(value) && value > 0 && value <= 60_000))
    throw new InvalidArgumentError(`whole milliseconds from 1 to 60000 are wanted, got ${text.slice(0, 32)}`);
  return value;
}
