import assert from 'node:assert/strict';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import {
  bidi,
  Client,
  type ClientTls,
  defineService,
  Server,
  type ServerTls,
  Status,
  silentLogger,
  unary,
} from 'lictor';
import { awaitedLog } from '../transport/awaited-log.js';
import { type Authority, type Certificate, createAuthority } from '../transport/certificates.js';
import { mounted } from '../transport/mounted.js';
import { failure } from './transport.js';

type Who = { name?: string; from: string };

const Peers = defineService('renewal.Peers', {
  who: unary<object, Who>(),
  echo: bidi<{ n: number }, { n: number }>(),
});
const LIMIT = { timeout: 30_000 };
const REFUSED = /alert|ECONNRESET|disconnected before secure/;
const LOCAL = ['DNS:localhost', 'IP:127.0.0.1'];

/** What every transport with sockets must do when certificates are renewed. */
export function tlsRenewalContract(transport: 'grpc-js' | 'h2'): void {
  describe(`renewal of TLS over ${transport}`, () => {
    let authority: Authority;
    let other: Authority;
    let first: Certificate;
    let second: Certificate;
    let mine: Certificate;
    before(() => {
      authority = createAuthority();
      other = createAuthority();
      first = authority.issue('first', LOCAL);
      second = authority.issue('second', LOCAL);
      mine = authority.issue('mine', LOCAL);
    });
    after(() => {
      authority[Symbol.dispose]();
      other[Symbol.dispose]();
    });

    async function serving(tls: ServerTls, address = '127.0.0.1:0', logger = silentLogger) {
      const server = new Server({ transport, tls, address, logger, graceMs: 0 });
      server.registerService(Peers, {
        who: (_, { peer }) => ({ name: peer.certificate?.commonName ?? '', from: peer.address }),
        async *echo(requests) {
          yield* requests;
        },
      });
      return server.serve();
    }

    function calling(target: string, tls: ClientTls = { ca: authority.cert }, logger = silentLogger) {
      const client = new Client({ transport, target, tls, logger, graceMs: 0, timeoutMs: 20_000 });
      return Object.assign(client.service(Peers), {
        client,
        nameAt: async (address: string) => (await client.service(Peers).who({}, { target: address })).name,
        [Symbol.asyncDispose]: () => client.close(),
      });
    }

    /** A handshake, and how the server takes it: of TLS 1.3 a client learns only later that its certificate was refused. */
    async function handshake({ address }: Server, options: object = {}) {
      const [host, port] = address.split(':');
      const socket = connect({
        ...{ host, port: Number(port), ca: authority.cert, ALPNProtocols: ['h2'], maxVersion: 'TLSv1.2' },
        ...options,
      });
      try {
        await once(socket, 'secureConnect');
        return {
          shown: socket.getPeerCertificate().subject?.CN,
          session: socket.getSession(),
          isResumed: socket.isSessionReused(),
        };
      } finally {
        socket.on('error', () => {}).destroy();
      }
    }
    const shownBy = async (server: Server) => (await handshake(server)).shown;

    describe('of a server', () => {
      test('reaches new connections, and those that are open stay with their streams', LIMIT, async () => {
        await using server = await serving(first);
        await using peers = calling(server.address);
        const { from } = await peers.who({});
        let send!: (request: { n: number }) => void;
        const requests = async function* () {
          for (let n = 0; n < 2; n++) yield await new Promise<{ n: number }>((resolve) => (send = resolve));
        };
        const replies = peers.echo(requests())[Symbol.asyncIterator]();
        const one = replies.next();
        while (!send) await new Promise(setImmediate);
        send({ n: 1 });
        assert.deepEqual((await one).value, { n: 1 });

        assert.equal(await shownBy(server), 'first');
        await server.reloadTls({ cert: second.cert, key: second.key });
        assert.equal(await shownBy(server), 'second');

        const two = replies.next();
        send({ n: 2 });
        assert.deepEqual((await two).value, { n: 2 });
        assert.equal((await replies.next()).done, true);
        assert.equal((await peers.who({})).from, from, 'the call went over another connection');
      });

      test('is refused when it is broken, and the certificate in use stays', LIMIT, async () => {
        await using server = await serving(first);
        const half = second.cert.toString().slice(0, 200);
        for (const [renewal, why] of [
          [
            { cert: second.cert, key: first.key },
            /tls\.key: the key does not belong to the certificate of tls\.cert/,
          ],
          [{ cert: second.cert }, /the key does not belong to the certificate/],
          [{ key: second.key }, /the key does not belong to the certificate/],
          [{ cert: half, key: second.key }, /tls\.cert: certificate 1 is cut off/],
          [
            { cert: second.cert, key: second.key.toString().slice(0, 60) },
            /tls\.key: the private key cannot be read/,
          ],
          [{ cert: second.key, key: second.key }, /tls\.cert: there is no certificate in it/],
          [{ cert: 'server.pem', key: second.key }, /cert: PEM is wanted/],
          [{ ca: authority.cert }, /made without ca/],
          [{}, /expected cert, key or ca/],
          [{ sert: second.cert } as object, /reloadTls: unknown option "sert", there are ca, cert, key/],
        ] as const) {
          const text = await server.reloadTls(renewal).then(() => assert.fail(`taken: ${why}`), String);
          assert.match(text, why);
          assert.doesNotMatch(text, /PRIVATE KEY/);
          assert.equal(await shownBy(server), 'first');
        }
      });

      test(
        'of its clients’ authority counts for new connections, those with a session included',
        LIMIT,
        async () => {
          await using server = await serving({ ...first, ca: authority.cert });
          await using old = calling(server.address, { ca: authority.cert, ...mine });
          await using stranger = calling(server.address, {
            ca: authority.cert,
            ...other.issue('new', LOCAL),
          });
          assert.equal((await old.who({})).name, 'mine');
          assert.equal((await failure(stranger.who({}))).code, Status.UNAVAILABLE);
          const { session } = await handshake(server, mine);
          assert.equal((await handshake(server, { ...mine, session })).isResumed, true);

          await server.reloadTls({ ca: other.cert });
          await using accepted = calling(server.address, {
            ca: authority.cert,
            ...other.issue('new', LOCAL),
          });
          assert.equal((await accepted.who({})).name, 'new');
          assert.equal((await old.who({})).name, 'mine', 'a connection that was open is not closed');
          await assert.rejects(handshake(server, { ...mine, session }), REFUSED);
          await using late = calling(server.address, { ca: authority.cert, ...mine });
          assert.equal((await failure(late.who({}))).code, Status.UNAVAILABLE);
        },
      );
    });

    describe('of a client', () => {
      const demanding = () => serving({ ...first, ca: authority.cert });

      test('is who new connections are of, and those that are open stay', LIMIT, async () => {
        const [a, b] = [await demanding(), await demanding()];
        await using peers = calling(a.address, { ca: authority.cert, ...mine });
        assert.equal(await peers.nameAt(a.address), 'mine');
        await peers.client.reloadTls(authority.issue('renewed', LOCAL));
        assert.equal(await peers.nameAt(b.address), 'renewed');
        assert.equal(await peers.nameAt(a.address), 'mine');

        await a.closeNow();
        await using again = await serving({ ...first, ca: authority.cert }, a.address);
        const name = () => peers.nameAt(again.address).catch(() => undefined);
        while ((await name()) === undefined) await sleep(20);
        assert.equal(await name(), 'renewed', 'a connection that is made again is of the new identity');
        await b.closeNow();
      });

      test('is refused when it is broken, and the certificate in use stays', LIMIT, async () => {
        await using server = await demanding();
        await using peers = calling(server.address, { ca: authority.cert, ...mine });
        await assert.rejects(peers.client.reloadTls({ key: first.key }), /tls\.key: the key does not belong/);
        await assert.rejects(
          peers.client.reloadTls({ ca: '-----BEGIN ' }),
          /tls\.ca: there is no certificate/,
        );
        assert.equal((await peers.who({})).name, 'mine');
        await using nobody = calling(server.address);
        await assert.rejects(nobody.client.reloadTls({ cert: mine.cert }), /tls\.cert: its key is missing/);
        await nobody.client.reloadTls({ cert: mine.cert, key: mine.key });
        assert.equal((await nobody.who({})).name, 'mine');
      });

      test('of its authorities lets it call servers that it did not trust', LIMIT, async () => {
        await using server = await serving(other.issue('other', LOCAL));
        await using peers = calling(server.address);
        assert.match((await failure(peers.who({}))).message, /certificate|issuer/);
        await peers.client.reloadTls({ ca: `${authority.cert}${other.cert}` });
        assert.equal((await peers.who({})).name, '');
      });
    });

    describe('from files', () => {
      const files = (certificate: Certificate, ca = authority.cert) => ({
        ...{ 'tls.crt': certificate.cert, 'tls.key': certificate.key, 'ca.crt': ca },
      });
      const named = (path: (name: string) => string) => ({
        ...{ certFile: path('tls.crt'), keyFile: path('tls.key'), caFile: path('ca.crt') },
      });

      test('that Kubernetes swaps, as often as it does, and with another authority', LIMIT, async () => {
        using mount = mounted(files(first));
        const log = awaitedLog();
        await using server = await serving(named(mount.path), undefined, log.logger);
        const shows = async () => (await handshake(server, mine)).shown;
        assert.equal(await shows(), 'first');
        for (const certificate of [second, first, second]) {
          mount.swap(files(certificate));
          const line = await log.next(/TLS certificates were renewed/);
          assert.match(line, /"changed":"cert, key"/);
          assert.match(line, /"validTo":"Jan {2}1 00:00:00 2099 GMT"/);
        }
        assert.equal(await shows(), 'second');
        mount.swap(files(second, other.cert));
        assert.match(await log.next(/renewed/), /"changed":"ca"/);
        await assert.rejects(shows, REFUSED);
      });

      test('that are written one after the other, with a half-written one between', LIMIT, async () => {
        using mount = mounted(files(first));
        const log = awaitedLog();
        const tls = named(mount.path);
        await using server = await serving(tls, undefined, log.logger);
        writeFileSync(tls.certFile, second.cert.subarray(0, 100));
        const cut = `tls.certFile ${JSON.stringify(tls.certFile)}: certificate 1 is cut off`;
        assert.match(await log.next(/are refused/), new RegExp(cut.replaceAll('"', '\\\\"')));
        writeFileSync(tls.certFile, second.cert);
        assert.match(
          await log.next(/are refused/),
          /tls\.keyFile .*the key does not belong to the certificate/,
        );
        assert.equal((await handshake(server, mine)).shown, 'first');
        rmSync(tls.keyFile);
        assert.match(await log.next(/are refused/), /tls\.keyFile .*cannot be read \(ENOENT/);
        writeFileSync(tls.keyFile, second.key);
        await log.next(/renewed/);
        assert.equal((await handshake(server, mine)).shown, 'second');
      });

      test('that are read at once on demand, and say what is wrong to whom demands it', LIMIT, async () => {
        using mount = mounted(files(first));
        await using server = await serving(named(mount.path));
        mount.swap(files(second));
        await server.reloadTls();
        assert.equal((await handshake(server, mine)).shown, 'second');
        mount.swap({ ...files(first), 'tls.key': second.key });
        await assert.rejects(server.reloadTls(), /tls\.keyFile ".*tls\.key": the key does not belong/);
        await assert.rejects(
          server.reloadTls(first),
          /reloadTls: cert comes from tls\.certFile .*write that file/,
        );
        assert.equal((await handshake(server, mine)).shown, 'second');
      });

      test('of a client that did not exist at first', LIMIT, async () => {
        using mount = mounted(files(mine));
        const log = awaitedLog();
        const tls = named(mount.path);
        const [a, b] = await Promise.all([1, 2].map(() => serving({ ...first, ca: authority.cert })));
        rmSync(tls.caFile);
        await using peers = calling(a!.address, tls, log.logger);
        const error = await failure(peers.who({}));
        assert.equal(error.code, Status.UNAVAILABLE);
        assert.match(error.message, /tls\.caFile ".*ca\.crt": cannot be read \(ENOENT/);
        writeFileSync(tls.caFile, authority.cert);
        while ((await peers.nameAt(a!.address).catch(() => undefined)) !== 'mine') await sleep(20);
        mount.swap(files(authority.issue('renewed', LOCAL)));
        assert.match(await log.next(/renewed/), /CN=renewed/);
        assert.equal(await peers.nameAt(b!.address), 'renewed');
        assert.equal(await peers.nameAt(a!.address), 'mine');
        await Promise.all([a!.closeNow(), b!.closeNow()]);
      });
    });
  });
}
