import { EventEmitter, once } from 'node:events';
import { Server } from 'lictor';
import { local } from 'lictor/plugin/local';
import { type Line, Room } from './gen/chat.js';

const said: Line[] = [];
const room = new EventEmitter();

function say(line: Line): void {
  said.push(line);
  room.emit('line');
}

const server = new Server({ plugins: [local()], handleSignals: true });

server.registerService(Room, {
  count: () => ({ lines: said.length }),

  // What a generator yields is sent at the pace of its reader: it rests while the client has not caught up.
  async *listen(_request, { signal }) {
    try {
      for (let heard = 0; ; ) {
        for (const line of said.slice(heard)) {
          yield line;
          heard++;
        }
        // `signal` aborts when the client has left, its deadline has passed or its connection is lost.
        await once(room, 'line', { signal });
      }
    } finally {
      console.log('a listener has left');
    }
  },

  async post(lines) {
    for await (const line of lines) say(line);
    return { lines: said.length };
  },

  // Requests come and replies go at the same time; that each request leads to one reply is only this method's way.
  async *chat(lines) {
    for await (const line of lines) {
      say(line);
      yield { from: 'echo', text: `${line.text}, you say?` };
    }
  },
});

await server.serve();
console.log(`listening on ${server.address}`);
