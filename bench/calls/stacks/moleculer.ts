import { createServer } from 'node:net';
import { ServiceBroker } from 'moleculer';
import { type Caller, type Stack, type Text, TIMEOUT_MS } from '../stack.js';

/** Moleculer's TCP transporter with its default JSON. Nodes find each other by a list of addresses, not by UDP. */
export const moleculer: Stack = {
  async serve() {
    const port = await freePort();
    const broker = createBroker({ nodeID: 'server', port, urls: [] });
    broker.createService({
      name: 'bench',
      actions: {
        say: ({ params }: { params: Text }) => ({ text: params.text }),
        carry: ({ params }: { params: { data: string } }) => ({ data: params.data }),
      },
    });
    await broker.start();
    return `127.0.0.1:${port}`;
  },
  async open(address) {
    // The server learns of the client by its first greeting.
    const options = { nodeID: `client-${process.pid}`, port: null, urls: [`${address}/server`] };
    const broker = createBroker(options);
    await broker.start();
    await broker.waitForServices('bench', TIMEOUT_MS, 5);
    return {
      say: (text) => broker.call('bench.say', { text }),
      // JSON holds no bytes, so it is a text of as many.
      carry: ({ text }) => broker.call('bench.carry', { data: text }),
    } as Caller;
  },
};

function createBroker({ nodeID, ...tcp }: { nodeID: string; port: number | null; urls: string[] }) {
  return new ServiceBroker({
    nodeID,
    logger: false,
    requestTimeout: TIMEOUT_MS,
    transporter: {
      type: 'TCP',
      options: {
        ...tcp,
        udpDiscovery: false,
        useHostname: false,
        maxPacketSize: 4 * 1024 * 1024,
        gossipPeriod: 0.2, // Seconds; so that its start is not a wait for the next round.
      },
    },
  });
}

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
