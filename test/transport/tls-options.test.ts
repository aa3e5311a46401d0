import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Client, Server } from 'lictor';

const PEM = '-----BEGIN CERTIFICATE-----\n';

describe('options of TLS', () => {
  const client = (tls: object) => () => new Client({ target: '127.0.0.1:1', tls });
  const server = (tls: object) => () => new Server({ tls: tls as never });

  test('that name half of a certificate are refused when client or server is made', () => {
    const half = /cert and key go together/;
    assert.throws(client({ cert: PEM }), half);
    assert.throws(client({ key: PEM }), half);
    assert.throws(server({ cert: PEM }), half);
    assert.throws(client({ certFile: 'tls.crt' }), /certFile and keyFile go together/);
    assert.throws(server({ cert: PEM, keyFile: 'tls.key' }), half);
    assert.throws(
      server({ caFile: 'ca.crt' }),
      /a server has a certificate: cert and key, or certFile and keyFile/,
    );
  });

  test('that name a file instead of its content are refused, and the text says so', () => {
    const wanted = /tls\.ca: PEM is wanted \("-----BEGIN \.\.\."\), not the name of a file/;
    assert.throws(client({ ca: '/etc/ssl/ca.pem' }), wanted);
    assert.throws(client({ ca: '/etc/ssl/ca.pem' }), /a file is named by tls\.caFile/);
    assert.throws(server({ cert: PEM, key: PEM, ca: Buffer.from('ca.pem') }), wanted);
    assert.throws(client({ ca: [PEM] }), /tls\.ca: expected PEM as a string or a Buffer, got object/);
  });

  test('that give content instead of a file are refused, and the content is not shown', () => {
    const secret = '-----BEGIN PRIVATE KEY-----\nsecret';
    for (const make of [client, server]) {
      const refused = make({ certFile: 'tls.crt', keyFile: secret });
      assert.throws(refused, /tls\.keyFile: expected the path of a file, got PEM; that is for tls\.key$/);
    }
    assert.throws(client({ caFile: '' }), /tls\.caFile: expected the path of a file, got ""/);
    assert.throws(client({ caFile: 7 }), /tls\.caFile: expected the path of a file, got number/);
  });

  test('that say the same thing twice are refused', () => {
    assert.throws(client({ ca: PEM, caFile: 'ca.crt' }), /ca and caFile say the same thing twice/);
    const twice = { cert: PEM, key: PEM, certFile: 'tls.crt', keyFile: 'tls.key' };
    assert.throws(server(twice), /cert and certFile say the same thing twice/);
  });

  test('that do not exist are refused by name', () => {
    assert.throws(
      server({ cert: PEM, key: PEM, cafile: 'x' }),
      /unknown option "cafile", there are ca, cert, key/,
    );
    assert.throws(server({ cert: PEM, key: PEM, serverName: 'x' }), /unknown option "serverName"/);
    assert.throws(client({ rejectUnauthorized: false }), /unknown option "rejectUnauthorized".*serverName/);
    assert.throws(client(null as never), /tls: expected an object of options/);
  });

  test('that are undefined count as left out', () => {
    const unset = { ca: undefined, cert: undefined, key: undefined };
    client({ ...unset, caFile: undefined, serverName: undefined })();
    server({ ...unset, certFile: 'tls.crt', keyFile: 'tls.key' })();
  });
});
