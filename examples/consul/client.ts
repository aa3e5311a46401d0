import { Client, RpcError } from 'lictor';
import { consul } from 'lictor/plugin/consul';
import { Greeter } from '../helloworld/gen/helloworld.js';

await using client = new Client({
  resolver: consul({ prefix: 'lictor-example/' }),
  balancer: 'roundRobin',
  timeoutMs: 2_000,
});
const greeter = client.service(Greeter);

try {
  for (const msg of ['lictor', 'consul', 'world']) {
    const reply = await greeter.sayHello({ msg });
    console.log(reply.msg);
  }
} catch (error) {
  if (!(error instanceof RpcError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
