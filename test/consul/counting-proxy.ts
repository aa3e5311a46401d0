import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** Stands before an agent and counts the connections to it. */
export interface CountingProxy extends AsyncDisposable {
  readonly address: string;
  readonly open: number;
  /** The most that were open at one time. */
  readonly most: number;
}

/** @param target `host:port` */
export async function countingProxy(target: string): Promise<CountingProxy> {
  const [host, port] = target.split(':') as [string, string];
  const sockets = new Set<Socket>();
  let most = 0;
  const server = createServer((near) => {
    const far = connect(Number(port), host);
    sockets.add(near);
    most = Math.max(most, sockets.size);
    near.pipe(far).pipe(near);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      one.on('error', () => {});
      one.on('close', () => {
        other.destroy();
        sockets.delete(near);
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    get open() {
      return sockets.size;
    },
    get most() {
      return most;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
