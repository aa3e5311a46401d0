import { Client } from 'lictor';
import { local } from 'lictor/plugin/local';
import { Greeter } from './gen/helloworld.js';

await using client = new Client({ resolver: local() });
const greeter = client.service(Greeter);

const reply = await greeter.sayHello({ msg: 'lictor' });
console.log(reply.msg);
