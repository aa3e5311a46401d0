import { type Command, InvalidArgumentError, Option } from 'commander';
import type { NodesOptions } from './list-nodes.js';

/** `lictor nodes`: who is listed, as clients see it. */
export function registerNodes(program: Command): void {
  program
    .command('nodes')
    .description('list the live nodes of a service, as clients see them')
    .argument('<service>', 'the full name of the service: helloworld.Greeter')
    .option('-f, --follow', 'go on, and print every change', false)
    .option('--json', 'one line of JSON per state instead of a table', false)
    .addOption(new Option('--mode <mode>', 'how servers register').choices(['kv', 'catalog']).default('kv'))
    .option('--prefix <prefix>', 'what stands before the service in every key (mode kv)')
    .option('--address <address>', 'the agent (default: CONSUL_HTTP_ADDR, else 127.0.0.1:8500)')
    .option('--datacenter <name>', "the datacenter (default: the agent's own)")
    .option('--tag <tag>', 'only nodes with this tag, may be repeated (mode catalog)', collect, [])
    .addHelpText(
      'after',
      '\nThe token comes from CONSUL_HTTP_TOKEN or CONSUL_HTTP_TOKEN_FILE. ' +
        'Exit code: 0 when a node is listed, 1 when Consul cannot be asked, 2 when no node is listed.',
    )
    .action(async (service: string, options: NodesOptions) => {
      // Consul's client is loaded only by those who ask it.
      const { listNodes } = await import('./list-nodes.js');
      await listNodes(service, options);
    });
}

function collect(tag: string, before: readonly string[]): readonly string[] {
  if (tag === '') throw new InvalidArgumentError('a tag is not empty');
  return [...before, tag];
}
