import { setTimeout as sleep } from 'node:timers/promises';
import { type Balancer, Client, roundRobin, Server } from 'lictor';
import { fixed } from 'lictor/plugin/fixed';
import { bar } from '../demo/bar.js';
import { Greeter } from '../helloworld/gen/helloworld.js';
import { leastInFlight } from './least-in-flight.js';
import { zoneFirst } from './zone-first.js';

/** A server that answers with its name, after `delayMs`. */
async function start(name: string, delayMs: number): Promise<Server> {
  const server = new Server();
  server.registerService(Greeter, {
    async sayHello() {
      await sleep(delayMs);
      return { msg: name };
    },
  });
  return server.serve();
}

await using paris = await start('paris', 5);
await using rome = await start('rome, slow', 20);
await using tokyo = await start('tokyo', 5);

const resolver = fixed([
  { address: paris.address, zone: 'europe' },
  { address: rome.address, zone: 'europe' },
  { address: tokyo.address, zone: 'asia' },
]);

/** Makes 300 calls, 6 at a time, and shows who answered them. */
async function show(title: string, balancer: Balancer): Promise<void> {
  await using client = new Client({ resolver, balancer });
  const greeter = client.service(Greeter);
  const answers = new Map([
    ['paris', 0],
    ['rome, slow', 0],
    ['tokyo', 0],
  ]);
  let left = 300;
  const caller = async () => {
    while (left-- > 0) {
      const { msg } = await greeter.sayHello({});
      answers.set(msg, (answers.get(msg) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: 6 }, caller));
  console.log(`\n${title}`);
  for (const [name, calls] of answers) console.log(`  ${name.padEnd(10)} ${bar(calls / 300, 40)} ${calls}`);
}

await show('roundRobin: all in turn', roundRobin());
await show('leastInFlight: the slow one gets fewer', leastInFlight);
await show(`zoneFirst('europe'): nothing goes to tokyo`, zoneFirst('europe'));

await Promise.all([paris.close(), rome.close()]);
await show(`zoneFirst('europe'), whose servers have ended`, zoneFirst('europe'));
