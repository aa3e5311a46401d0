// A server's process for the tests of signals: holds calls until it is told to answer.
import { Server } from 'lictor';
import { recordingPlugin } from './plugin.js';
import { Signalled } from './signalled-service.js';

const graceMs = Number(process.argv[2]);
const slowPlugin = recordingPlugin({
  dispose: async () => {
    process.send!('leaving');
  },
});
const released = new Promise<void>((resolve) => {
  process.on('message', (message) => {
    if (message === 'release') resolve();
  });
});
const server = new Server({ handleSignals: true, graceMs, drainMs: 0, plugins: [slowPlugin] });
server.registerService(Signalled, {
  async hold() {
    process.send!('holding');
    await released;
    return { held: true };
  },
});
await server.serve();
// One that has nothing to do and is closed at once: it must not end the process of the other.
await new Server({ handleSignals: true }).serve();
process.on('disconnect', () => process.exit(9));
process.send!(server.address);
