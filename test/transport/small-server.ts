import { type DynamicMessage, defineService, loadProto, Server, silentLogger, unary } from 'lictor';
import { protoFile } from '../codec/dear-messages.js';

// A server in a process of its own, which the test gives a small heap. It says its address by its first message.

const server = new Server({ logger: silentLogger, graceMs: 0 });
const alive = () => ({ text: 'alive' });
server.registerService(loadProto(protoFile).service('t.S'), { call: alive });
server.registerService(defineService('t.Plain', { call: unary<unknown, DynamicMessage>() }), { call: alive });
await server.serve();
process.send?.(server.address);
process.once('disconnect', () => process.exit());
