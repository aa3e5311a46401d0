import { type Command, InvalidArgumentError } from 'commander';
import type { WatchOptions } from './watch-plan.js';

/** `lictor watch`: the command `consul watch`, with its options, output and exit codes, and no Consul to install. */
export function registerWatch(program: Command): void {
  program
    .command('watch')
    .description('watch something in Consul: print its first result, or run a command for every one')
    .usage('[options] [command...]')
    .argument('[command...]', 'run with the result as JSON on stdin and CONSUL_INDEX in the environment')
    .option('--type <type>', 'key, keyprefix, services, nodes, service, checks, event or agent_service')
    .option('--key <key>', 'of type key')
    .option('--prefix <prefix>', 'of type keyprefix')
    .option('--service <name>', 'of types service and checks')
    .option('--service-id <id>', 'of type agent_service')
    .option('--tag <tag>', 'of type service; may be given several times', collect)
    .option('--passingonly', 'of type service: only nodes whose checks all pass')
    .option('--state <state>', 'of type checks: any, passing, warning or critical')
    .option('--name <name>', 'of type event')
    .option('--filter <expression>', 'of types nodes, service and checks')
    .option('--stale', 'let any Consul server answer, with what it knows')
    .option('--datacenter <name>', "(default: the agent's own)")
    .option('--http-addr <address>', 'of the agent (default: CONSUL_HTTP_ADDR, else 127.0.0.1:8500)')
    .option(
      '--token <token>',
      'ACL token (default: CONSUL_HTTP_TOKEN, which other users of the machine cannot see)',
    )
    .option('--token-file <path>', 'a file that holds it (default: CONSUL_HTTP_TOKEN_FILE)')
    .option('--ca-file <path>', '(default: CONSUL_CACERT)')
    .option('--client-cert <path>', '(default: CONSUL_CLIENT_CERT)')
    .option('--client-key <path>', '(default: CONSUL_CLIENT_KEY)')
    .option('--tls-server-name <name>', '(default: CONSUL_TLS_SERVER_NAME)')
    .option('--shell', 'let a shell (SHELL, else /bin/sh) read the command')
    .option('--http-handler <url>', 'instead of a command: where to send every result, with X-Consul-Index')
    .option('--http-method <method>', 'for the handler (default: POST)')
    .option(
      '--http-header <line>',
      '"Name: value" for the handler; may be given several times',
      collectHeader,
    )
    .option('--http-timeout <ms>', 'for one request to the handler (default: 10000)', milliseconds)
    .option('--http-skip-verify', 'take any certificate of the handler')
    // What follows the command is its own.
    .passThroughOptions()
    .action(async (command: readonly string[], options: WatchOptions) => {
      const { watch } = await import('./watch-plan.js'); // Other commands need no Consul.
      await watch(command, options);
    });
}

const collect = (value: string, before: readonly string[] = []) => [...before, value];

function collectHeader(line: string, before: Readonly<Record<string, readonly string[]>> = {}) {
  const [, name, value] = /^([!#$%&'*+.^_`|~\w-]+):\s*(.*)$/.exec(line) ?? [];
  if (name === undefined || value === undefined) throw new InvalidArgumentError('"Name: value" is wanted.');
  return { ...before, [name]: [...(before[name] ?? []), value] };
}

function milliseconds(text: string): number {
  const value = Number(text);
  if (value > 0 && value <= 2 ** 31 - 1) return value;
  throw new InvalidArgumentError('Milliseconds above 0 are wanted.');
}
