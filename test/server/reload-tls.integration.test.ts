import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Client, type Engine, memory, Server, silentLogger } from 'lictor';
import { h2 } from '../../transport/h2/engine.js';
import { type Authority, type Certificate, createAuthority } from '../transport/certificates.js';

describe('reloadTls', () => {
  let authority: Authority;
  let good: Certificate;
  before(() => {
    authority = createAuthority();
    good = authority.issue('good', ['DNS:localhost']);
  });
  after(() => authority[Symbol.dispose]());
  const logger = silentLogger;

  test('of a server is for one that serves, with TLS', async () => {
    const refused = (server: Server, why: RegExp) => assert.rejects(server.reloadTls(good), why);
    const server = new Server({ tls: good, logger });
    await refused(server, /FAILED_PRECONDITION.*this process does not serve/);
    await server.serve();
    await server.reloadTls(good);
    await server.close();
    await refused(server, /FAILED_PRECONDITION.*the server is closed/);
    await using plain = new Server({ logger });
    await plain.serve();
    await refused(plain, /FAILED_PRECONDITION.*the server was made without tls/);
  });

  test('of a client is for one that is open, with TLS', async () => {
    const target = '127.0.0.1:1';
    const client = new Client({ target, tls: {}, logger });
    await client.reloadTls({ ca: authority.cert });
    await client.close();
    await assert.rejects(
      client.reloadTls({ ca: authority.cert }),
      /FAILED_PRECONDITION.*the client is closed/,
    );
    await using plain = new Client({ target, logger });
    await assert.rejects(plain.reloadTls({ ca: authority.cert }), /the client was made without tls/);
  });

  test('is refused by a transport that has no TLS, or cannot renew it', async () => {
    const none = /FAILED_PRECONDITION.*the transport memory has no TLS/;
    await using server = new Server({ transport: memory(), tls: good, logger });
    await server.serve();
    await using client = new Client({ transport: memory(), target: server.address, tls: good, logger });
    await assert.rejects(server.reloadTls(good), none);
    await assert.rejects(client.reloadTls(good), none);
    const fixed: Engine = {
      ...h2,
      name: 'fixed',
      async listen(options) {
        const { address, close } = await h2.listen(options);
        return { address, close };
      },
    };
    await using other = new Server({ transport: fixed, tls: good, logger });
    await other.serve();
    await assert.rejects(other.reloadTls(good), /the transport fixed cannot renew the TLS of its servers/);
  });
});
