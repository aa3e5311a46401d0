import { setTimeout as sleep } from 'node:timers/promises';
import { Client, RpcError, Status } from 'lictor';
import { local } from 'lictor/plugin/local';
import { Room } from './gen/chat.js';

await using client = new Client({ resolver: local() });
const room = client.service(Room);

// Client stream: an AsyncIterable goes in, one reply comes out. Fields left out of a message have their default.
async function* greetings() {
  for (const text of ['good morning', 'good evening', 'good night']) yield { from: 'ann', text };
}
const { lines } = await room.post(greetings());
console.log(`post: ${lines} lines`);

// Bidirectional: what is yielded is sent at once, and replies come while the next line is still being thought of.
async function* thoughts() {
  for (const text of ['it rains', 'it will stop', 'it has stopped']) {
    console.log(`chat: > ${text}`);
    yield { from: 'bob', text };
    await sleep(50);
  }
}
for await (const { text } of room.chat(thoughts())) console.log(`chat:   < ${text}`);

// Unary: one request, one reply. Its deadline is 10 s unless the client or the call says another.
console.log(`count: ${(await room.count({}, { timeoutMs: 500 })).lines} lines`);

// Server stream without an end: leaving the loop cancels the call, and the server is told.
let heard = 0;
for await (const { from, text } of room.listen({})) {
  console.log(`listen: ${from}: ${text}`);
  if (++heard === 4) break;
}

// A stream has no deadline unless it is given one.
try {
  for await (const _ of room.listen({}, { timeoutMs: 200 })) heard++;
} catch (error) {
  if (!(error instanceof RpcError) || error.code !== Status.DEADLINE_EXCEEDED) throw error;
  console.log(`listen: ${error.message}`);
}
