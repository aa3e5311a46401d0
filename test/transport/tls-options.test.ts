import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Client, Server } from 'lictor';

const PEM = '-----BEGIN CERTIFICATE-----\n';

describe('options of TLS', () => {
  test('that name half of a certificate are refused when client or server is made', () => {
    const half = /cert and key go together/;
    assert.throws(() => new Client({ target: '127.0.0.1:1', tls: { cert: PEM } }), half);
    assert.throws(() => new Client({ target: '127.0.0.1:1', tls: { key: PEM } }), half);
    assert.throws(() => new Server({ tls: { cert: PEM } as never }), half);
  });

  test('that name a file instead of its content are refused, and the text says so', () => {
    const wanted = /tls\.ca: PEM is wanted \("-----BEGIN \.\.\."\), not the name of a file/;
    assert.throws(() => new Client({ target: '127.0.0.1:1', tls: { ca: '/etc/ssl/ca.pem' } }), wanted);
    assert.throws(() => new Server({ tls: { cert: PEM, key: PEM, ca: Buffer.from('ca.pem') } }), wanted);
  });
});
