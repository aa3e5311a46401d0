import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { handshakes } from '../../../transport/h2/handshakes.js';
import { checkedMaterial } from '../../../transport/tls/material.js';
import { type Authority, type Certificate, createAuthority } from '../certificates.js';

describe('handshakes of TLS', { timeout: 20_000 }, () => {
  let authority: Authority;
  let certificate: Certificate;
  before(() => {
    authority = createAuthority();
    certificate = authority.issue('server', ['DNS:localhost']);
  });
  after(() => authority[Symbol.dispose]());

  async function listening(limits: { timeoutMs: number; maxUnderWay: number }) {
    const accepted: Socket[] = [];
    const material = checkedMaterial(certificate, { ca: 'ca', cert: 'cert', key: 'key' });
    let arrived = 0;
    const door = handshakes(material, limits, (socket) => accepted.push(socket));
    const server = createServer((socket) => {
      socket.on('error', () => {});
      door.take(socket);
      arrived++;
      server.emit('arrival');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    return {
      accepted,
      /** Connects and says nothing. */
      async half() {
        const before = arrived;
        const socket = connect(port, '127.0.0.1').on('error', () => {});
        while (arrived === before) await once(server, 'arrival');
        return socket;
      },
      async whole(): Promise<boolean> {
        const socket = connectTls({ port, host: '127.0.0.1', servername: 'localhost', ca: authority.cert });
        const done = await Promise.race([
          once(socket, 'secureConnect').then(() => true),
          once(socket, 'close').then(() => false),
        ]).catch(() => false);
        socket.on('error', () => {}).destroy();
        return done;
      },
      [Symbol.dispose]() {
        for (const socket of accepted) socket.destroy();
        server.close();
      },
    };
  }

  it('under way have a limit; those that are done, or given up, make room', async () => {
    using server = await listening({ timeoutMs: 60_000, maxUnderWay: 2 });
    const first = await server.half();
    // Its own end is known to the client before the server has heard of it.
    for (let done = 0; done < 2; ) if (await server.whole()) done++;
    const second = await server.half();
    while (await server.whole());
    first.destroy();
    while (!(await server.whole()));
    second.destroy();
  });

  it('that do not end are closed when their time is over', async () => {
    using server = await listening({ timeoutMs: 50, maxUnderWay: 5 });
    const closed: Promise<unknown>[] = [];
    for (let i = 0; i < 5; i++) closed.push(once((await server.half()).resume(), 'close'));
    await Promise.all(closed);
    while (!(await server.whole()));
  });
});
