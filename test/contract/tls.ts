import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { connect, DEFAULT_MIN_VERSION } from 'node:tls';
import { type CallContext, type ClientTls, defineService, type ServerTls, Status, unary } from 'lictor';
import { pair } from '../pair.js';
import { type Authority, type Certificate, createAuthority } from '../transport/certificates.js';
import { failure } from './transport.js';

const Peer = defineService('tls.Peer', { who: unary<object, Pick<CallContext['peer'], 'certificate'>>() });
const LIMIT = { timeout: 30_000 };
const LOCAL = ['DNS:localhost', 'IP:127.0.0.1'];

/** What every transport with sockets must do over TLS. */
export function tlsContract(transport: 'grpc-js' | 'h2'): void {
  describe(`TLS over ${transport}`, () => {
    let authority: Authority;
    let stranger: Authority;
    let good: Certificate;
    before(() => {
      authority = createAuthority();
      stranger = createAuthority();
      good = authority.issue('server', LOCAL);
    });
    after(() => {
      authority[Symbol.dispose]();
      stranger[Symbol.dispose]();
    });

    const start = (server: ServerTls | undefined, client: ClientTls | undefined, timeoutMs = 20_000) =>
      pair(
        Peer,
        {
          who: (_, { peer }) => (peer.certificate ? { certificate: peer.certificate } : {}),
        },
        {
          transport,
          server: server ? { tls: server } : {},
          client: { timeoutMs, ...(client ? { tls: client } : {}) },
        },
      );

    /** The call must fail, and be certain not to have run. */
    const refused = async (server: ServerTls | undefined, client: ClientTls | undefined, why?: RegExp) => {
      await using it = await start(server, client);
      const error = await failure(it.api.who({}));
      assert.equal(error.code, Status.UNAVAILABLE, error.message);
      if (why) assert.match(error.message, why);
      return error;
    };

    test('a server whose certificate is in order is called', LIMIT, async () => {
      await using it = await start(good, { ca: authority.cert });
      assert.deepEqual(await it.api.who({}), {});
      await using text = await start(
        { cert: good.cert.toString(), key: good.key.toString() },
        { ca: authority.cert.toString() },
      );
      assert.deepEqual(await text.api.who({}), {});
    });

    test('a server of an unknown authority is not', LIMIT, async () => {
      await refused(good, { ca: stranger.cert }, /self[- ]signed|unable to (verify|get)|signature/);
      await refused(good, {}, /self[- ]signed|unable to (verify|get)/);
    });

    test('a server with a certificate that it signed itself is not', LIMIT, async () => {
      const { cert, key } = stranger;
      await refused({ cert, key }, { ca: authority.cert }, /self[- ]signed/);
    });

    test('a server of another name is not, unless that name is asked for', LIMIT, async () => {
      const other = authority.issue('payments', ['DNS:payments.internal']);
      await refused(other, { ca: authority.cert }, /altnames|does not match/);
      await refused(other, { ca: authority.cert, serverName: 'orders.internal' }, /altnames|does not match/);
      await using it = await start(other, { ca: authority.cert, serverName: 'payments.internal' });
      assert.deepEqual(await it.api.who({}), {});
    });

    test('a server at an IP address needs a certificate for that address', LIMIT, async () => {
      const byName = authority.issue('server', ['DNS:localhost']);
      await refused(byName, { ca: authority.cert }, /altnames|does not match/);
      await refused(
        authority.issue('server', ['IP:127.0.0.2']),
        { ca: authority.cert },
        /altnames|does not match|cert's list/,
      );
      await using it = await start(authority.issue('server', ['IP:127.0.0.1']), { ca: authority.cert });
      assert.deepEqual(await it.api.who({}), {});
    });

    test('a server whose certificate has expired is not', LIMIT, async () => {
      await refused(authority.issue('server', LOCAL, { expired: true }), { ca: authority.cert }, /expired/);
    });

    test('B8: a client without TLS and a server with it do not talk, nor the reverse', LIMIT, async () => {
      await refused(good, undefined);
      await refused(undefined, { ca: authority.cert });
    });

    test('TLS below 1.2 is refused by the server', LIMIT, async () => {
      await using it = await start(good, { ca: authority.cert });
      const port = Number(it.server.address.split(':')[1]);
      for (const version of ['TLSv1', 'TLSv1.1'] as const) {
        const socket = connect({
          port,
          ca: authority.cert,
          minVersion: version,
          maxVersion: version,
          // OpenSSL 3 would else not even offer them.
          ciphers: 'DEFAULT@SECLEVEL=0',
          ALPNProtocols: ['h2'],
        });
        const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
        assert.match(String(error.code), /ALERT_PROTOCOL_VERSION|ECONNRESET|UNSUPPORTED_PROTOCOL/);
      }
      assert.equal(DEFAULT_MIN_VERSION, 'TLSv1.2');
      const socket = connect({ port, ca: authority.cert, maxVersion: 'TLSv1.2', ALPNProtocols: ['h2'] });
      await once(socket, 'secureConnect');
      socket.destroy();
    });

    describe('with client certificates', () => {
      const demanding = () => ({ ...good, ca: authority.cert });

      test('the handler is told whom the certificate names', LIMIT, async () => {
        const mine = authority.issue('billing', ['DNS:billing.internal', 'URI:spiffe://lictor/billing']);
        await using it = await start(demanding(), { ca: authority.cert, ...mine });
        assert.deepEqual(await it.api.who({}), {
          certificate: {
            commonName: 'billing',
            subjectAltNames: ['DNS:billing.internal', 'URI:spiffe://lictor/billing'],
          },
        });
      });

      test('a name cannot smuggle in another', LIMIT, async () => {
        const mine = authority.issue('x', ['URI:spiffe://a/b, DNS:admin.internal'.replace(', ', '%2C%20')]);
        await using it = await start(demanding(), { ca: authority.cert, ...mine });
        const { certificate } = await it.api.who({});
        assert.equal(certificate?.subjectAltNames.includes('DNS:admin.internal'), false);
      });

      test('a client without one, or with a bad one, is refused', LIMIT, async () => {
        await refused(demanding(), { ca: authority.cert });
        await refused(demanding(), { ca: authority.cert, ...stranger.issue('billing', LOCAL) });
        const expired = authority.issue('billing', LOCAL, { expired: true });
        await refused(demanding(), { ca: authority.cert, ...expired });
      });

      test('a certificate that nobody demanded is not an identity', LIMIT, async () => {
        const mine = stranger.issue('billing', LOCAL);
        await using it = await start(good, { ca: authority.cert, ...mine });
        assert.deepEqual(await it.api.who({}), {});
      });
    });
  });
}
