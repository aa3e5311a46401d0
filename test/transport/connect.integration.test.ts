import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { Client, type ServerTls } from 'lictor';
import { Probe, RawConnection, running } from './connect-probe.js';

const run = promisify(execFile);

/** curl as people type it; `-i` shows the header, and with `-sS` only errors are said beside. */
async function curl(...args: string[]): Promise<string> {
  const { stdout } = await run('curl', ['-sS', '-m', '10', ...args], { maxBuffer: 64 * 1024 * 1024 });
  return stdout;
}

const JSON_TYPE = ['-H', 'content-type: application/json'];
const HELLO = '/helloworld.Greeter/SayHello';

describe('curl', () => {
  let folder: string;
  let tls: ServerTls;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'lictor-curl-'));
    const file = (name: string) => join(folder, name);
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
    const keys = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    const out = ['-keyout', file('key.pem'), '-out', file('cert.pem')];
    execFileSync('openssl', ['req', '-x509', '-days', '2', ...keys, ...out, ...subject], { stdio: 'ignore' });
    tls = { cert: readFileSync(file('cert.pem')), key: readFileSync(file('key.pem')) };
  });
  after(() => rmSync(folder, { recursive: true }));

  for (const version of ['--http1.1', '--http2', '--http2-prior-knowledge', '--http1.0']) {
    test(`${version} calls a method with JSON`, async () => {
      await using server = await running();
      const url = `http://${server.address}${HELLO}`;
      assert.equal(await curl(version, '-d', '{"msg":"hi"}', ...JSON_TYPE, url), '{"msg":"hello hi"}');
    });

    test(`${version} is told what is wrong`, async () => {
      await using server = await running();
      const url = `http://${server.address}${HELLO}`;
      const code = ['-w', ' %{http_code}'];
      const said = [
        await curl(version, ...code, `http://${server.address}/`),
        await curl(version, ...code, url),
        await curl(version, ...code, '-d', '{"msg":"hi"}', url),
        await curl(version, ...code, '-d', '{msg:hi}', ...JSON_TYPE, url),
      ];
      assert.match(said[0]!, /call POST \/package\.Service\/Method.* 404$/);
      assert.match(said[1]!, /is called by POST.* 405$/);
      assert.match(said[2]!, /application\/json or application\/proto is wanted.* 415$/);
      assert.match(said[3]!, /helloworld\.HelloRequest: malformed json.* 400$/);
    });

    test(`${version} sees the answer to a message that is too large`, async () => {
      await using server = await running();
      const large = join(folder, 'large');
      writeFileSync(large, JSON.stringify({ msg: 'a'.repeat(5_000_000) }));
      const url = `http://${server.address}${HELLO}`;
      const said = await curl(version, '--data-binary', `@${large}`, ...JSON_TYPE, url);
      assert.match(said, /"resource_exhausted","message":"message of more than 4194304 bytes/);
    });
  }

  test('--compressed takes compressed replies, and may send compressed requests', async () => {
    await using server = await running({ compression: 'gzip' });
    const body = join(folder, 'body.gz');
    writeFileSync(body, gzipSync('{"msg":"small"}'));
    const encoding = ['-H', 'content-encoding: gzip'];
    const url = `http://${server.address}${HELLO}`;
    const said = await curl(
      '--compressed',
      '-i',
      '--data-binary',
      `@${body}`,
      ...JSON_TYPE,
      ...encoding,
      url,
    );
    assert.match(said, /content-encoding: gzip\r\n[\s\S]*\{"msg":"hello small"\}$/);
  });

  test('--unix-socket calls a server on one', async () => {
    const socket = join(folder, 'server.sock');
    await using _ = await running({ address: `unix:${socket}` });
    const args = ['--unix-socket', socket, '-d', '{"msg":"hi"}', ...JSON_TYPE, `http://localhost${HELLO}`];
    assert.equal(await curl(...args), '{"msg":"hello hi"}');
  });

  test('-H gives metadata and time-out', async () => {
    await using server = await running();
    const url = `http://${server.address}/lictor.test.Web`;
    const said = await curl(
      '-i',
      '-H',
      'x-id: 7',
      '-H',
      'y-id: 8',
      '-d',
      '{"text":""}',
      ...JSON_TYPE,
      `${url}/Echo`,
    );
    assert.match(said, /^HTTP\/1\.1 200 OK\r\n/);
    assert.match(said, /\r\nx-id: 7\r\n/);
    assert.match(said, /\r\ntrailer-y-id: 8\r\n/);
    const late = await curl('-i', '-H', 'connect-timeout-ms: 50', '-d', '{}', ...JSON_TYPE, `${url}/Hang`);
    assert.match(late, /^HTTP\/1\.1 504 Gateway Timeout\r\n[\s\S]*"deadline_exceeded"/);
  });

  test('that is ended cancels its call', async () => {
    await using server = await running();
    const args = ['-sS', '-d', '{}', ...JSON_TYPE, `http://${server.address}/lictor.test.Web/Hang`];
    const child = execFile('curl', args, () => {});
    await server.bench.until(() => server.bench.started === 1);
    child.kill();
    await server.bench.until(() => server.bench.aborted.length === 1);
    assert.deepEqual(server.bench.aborted, ['CANCELLED']);
  });

  for (const [version, name] of [
    ['--http1.1', '1.1'],
    ['--http2', '2'],
    ['--no-alpn', '1.1'],
  ] as const) {
    test(`--cacert ${version} calls over TLS, beside gRPC on the same port`, async () => {
      await using server = await running({ tls });
      await using client = new Client({ target: server.address, transport: 'h2', tls: { ca: tls.cert } });
      const url = `https://${server.address}${HELLO}`;
      const args = [
        '--cacert',
        join(folder, 'cert.pem'),
        version,
        '-w',
        ' %{http_version}',
        '-d',
        '{"msg":"hi"}',
      ];
      const [said, echoed] = await Promise.all([
        curl(...args, ...JSON_TYPE, url),
        client.service(Probe).echo({ text: 'grpc' }),
      ]);
      assert.equal(said, `{"msg":"hello hi"} ${name}`);
      assert.deepEqual(echoed, { text: 'grpc' });
    });
  }

  test('https to a port without TLS fails at once, and so does http to one with TLS', async () => {
    await using plain = await running();
    await using secret = await running({ tls });
    await assert.rejects(curl('-k', `https://${plain.address}${HELLO}`), /wrong version number|SSL/);
    await assert.rejects(curl(`http://${secret.address}${HELLO}`), /Empty reply|reset/);
    assert.equal(await new RawConnection(secret.address).send('nonsense\r\n\r\n').closed, '');
    const args = ['--cacert', join(folder, 'cert.pem'), '-d', '{"msg":"hi"}', ...JSON_TYPE];
    assert.equal(await curl(...args, `https://${secret.address}${HELLO}`), '{"msg":"hello hi"}');
  });
});
