import assert from 'node:assert/strict';
import { createPrivateKey } from 'node:crypto';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Server, type ServerTls, silentLogger } from 'lictor';
import { recordingLogger } from '../plugin/log.js';
import { awaitedLog } from './awaited-log.js';
import { type Authority, type Certificate, createAuthority } from './certificates.js';

describe('certificates and keys that are wrong', { timeout: 30_000 }, () => {
  let authority: Authority;
  let good: Certificate;
  let folder: string;
  before(() => {
    authority = createAuthority();
    good = authority.issue('good', ['DNS:localhost']);
    folder = mkdtempSync(join(tmpdir(), 'lictor-material-'));
  });
  after(() => {
    authority[Symbol.dispose]();
    rmSync(folder, { recursive: true });
  });
  const file = (name: string, content: string | Buffer) => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };

  async function refused(tls: ServerTls): Promise<string> {
    const server = new Server({ tls, logger: silentLogger });
    const error = await server.serve().then(() => assert.fail('it serves'), String);
    assert.match(error, /^RpcError: \[INVALID_ARGUMENT\] tls\./);
    assert.doesNotMatch(error, /PRIVATE KEY/);
    return error;
  }

  test('keep a server from its start, and the error names the one', async () => {
    const encrypted = createPrivateKey(good.key).export({
      ...{ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'secret' },
    });
    const two = `${authority.cert}${good.cert}`;
    const notBase64 = '-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n';
    for (const [tls, why] of [
      [{ ...good, key: encrypted }, /tls\.key: the key is encrypted/],
      [{ ...good, key: authority.key }, /tls\.key: the key does not belong to the certificate of tls\.cert/],
      [{ ...good, ca: two.slice(0, -30) }, /tls\.ca: certificate 2 is cut off/],
      [{ ...good, ca: two.slice(0, two.length / 4) + two }, /tls\.ca: certificate 1 cannot be read/],
      [{ ...good, ca: good.key }, /tls\.ca: there is no certificate in it/],
      [{ ...good, cert: `${good.cert}${notBase64}` }, /tls\.cert: certificate 2 cannot be read/],
    ] as const) {
      assert.match(await refused(tls), why);
    }
  });

  test('in files do so too, and the error names the file', async () => {
    const [certFile, keyFile] = [file('tls.crt', good.cert), file('tls.key', good.key)];
    const missing = join(folder, 'missing.pem');
    const large = file('large.pem', '');
    truncateSync(large, 5 * 1024 * 1024);
    for (const [tls, why] of [
      [{ certFile, keyFile: missing }, /tls\.keyFile ".*missing\.pem": cannot be read \(ENOENT/],
      [{ certFile, keyFile: 'a\0b' }, /tls\.keyFile ".*": cannot be read \(/],
      [{ certFile: folder, keyFile }, /tls\.certFile ".*": is not a regular file/],
      [{ certFile, keyFile, caFile: large }, /tls\.caFile ".*": has 5242880 bytes, at most 4194304 are read/],
      [{ certFile: file('empty', ''), keyFile }, /tls\.certFile ".*empty": is empty/],
      [
        { certFile, keyFile: file('other', authority.key) },
        /tls\.keyFile ".*other": the key does not belong/,
      ],
      [{ certFile, keyFile, caFile: keyFile }, /tls\.caFile ".*tls\.key": there is no certificate in it/],
    ] as const) {
      assert.match(await refused(tls), why);
    }
    await using server = new Server({ tls: { certFile, keyFile, ca: authority.cert }, logger: silentLogger });
    await server.serve();
  });

  test('make no difference to the constructors, which read nothing', async () => {
    const missing = { certFile: '/no/cert', keyFile: '/no/key', caFile: '/no/ca' };
    void new Server({ tls: missing });
    await using _ = new Client({ target: '127.0.0.1:1', tls: missing });
  });

  test('that are out of their time are used, with a warning', async () => {
    const old = authority.issue('old', ['DNS:localhost'], { expired: true });
    const logger = recordingLogger();
    await using server = new Server({ tls: old, logger });
    await server.serve();
    const expired = () => logger.lines.filter(({ message }) => /has expired/.test(message));
    assert.equal(expired()[0]?.fields.validTo, 'Jan  2 00:00:00 2020 GMT');
    assert.equal(expired()[0]?.fields.subject, 'CN=old');
    await server.reloadTls(good);
    assert.equal(expired().length, 1);
    await server.reloadTls(old);
    assert.equal(expired().length, 2);
  });

  test('wait while they are being written, and are taken when they are done', async () => {
    const [certFile, keyFile] = [file('live.crt', good.cert), file('live.key', good.key)];
    const log = awaitedLog();
    await using server = new Server({ tls: { certFile, keyFile }, logger: log.logger });
    await server.serve();
    // Twice in a row a file may be found empty, which is logged.
    const renewals = () => log.lines.filter(({ message }) => /renewed/.test(message)).length;
    let count = 0;
    const writer = setInterval(() => writeFileSync(certFile, `# ${count++}\n${good.cert}`), 10);
    try {
      // In the event loop of the looks, so that none of them falls between two that found the same.
      while (count < 60) await sleep(10);
      assert.equal(renewals(), 0);
    } finally {
      clearInterval(writer);
    }
    assert.match(await log.next(/renewed/), /"changed":"cert"/);
    assert.equal(renewals(), 1);
  });
});
