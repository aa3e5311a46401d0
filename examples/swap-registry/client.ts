import { Client } from 'lictor';
import { Greeter } from '../helloworld/gen/helloworld.js';
import { registry } from './registry.js';

await using client = new Client({ resolver: registry });

const { msg } = await client.service(Greeter).sayHello({ msg: registry.name });
console.log(`${msg}, found in ${registry.describe(Greeter.name)}`);
