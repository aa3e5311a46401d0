import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import * as watch from '../../plugin/consul/watch/watch.js';
import { Status } from '../../rpc/status.js';
import { deferred } from '../deferred.js';
import { createAuthority } from '../transport/certificates.js';

const TIME_LIMIT = { timeout: 20_000 };
const { commandHandler, httpHandler } = watch;
const never = new AbortController().signal;
const INDEX = 18446744073709551615n;
const result: watch.UserEvent[] = [
  {
    ID: 'e1',
    Name: 'a <b>',
    Payload: null,
    NodeFilter: '',
    ServiceFilter: '',
    TagFilter: '',
    Version: 1,
    LTime: 2,
  },
];
const asJson =
  '[{"ID":"e1","Name":"a \\u003cb\\u003e","Payload":null,"NodeFilter":"","ServiceFilter":"","TagFilter":"","Version":1,"LTime":2}]\n';

describe('W16 a command as handler', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'lictor-watch-'));
  });
  after(() => rmSync(folder, { recursive: true }));

  test(
    'gets JSON on stdin, the index in CONSUL_INDEX, and its arguments as they are',
    TIME_LIMIT,
    async () => {
      const out = join(folder, 'out');
      const script = 'cat > "$1"; echo "$CONSUL_INDEX $2" >> "$1"';
      await commandHandler(['sh', '-c', script, 'sh', out, '$HOME * ;'])(INDEX, result, never);
      assert.equal(readFileSync(out, 'utf8'), `${asJson}${INDEX} $HOME * ;\n`);
    },
  );

  test('is read by a shell only when it is told so', TIME_LIMIT, async () => {
    const out = join(folder, 'shell');
    await assert.rejects(
      async () => commandHandler([`echo $CONSUL_INDEX > ${out}`])(INDEX, result, never),
      /cannot start .*ENOENT/,
    );
    await commandHandler(['echo', '$CONSUL_INDEX', '>', out], { shell: true })(INDEX, result, never);
    assert.equal(readFileSync(out, 'utf8'), `${INDEX}\n`);
  });

  test('fails when the command does', TIME_LIMIT, async () => {
    await assert.rejects(
      async () => commandHandler(['sh', '-c', 'exit 3'])(1n, result, never),
      /"sh" ended with exit status 3/,
    );
    await assert.rejects(
      async () => commandHandler(['sh', '-c', 'kill -9 $$'])(1n, result, never),
      /"sh" was ended by SIGKILL/,
    );
  });

  test('need not read its stdin', TIME_LIMIT, async () => {
    const large = Array.from({ length: 20_000 }, () => result[0]!);
    await commandHandler(['true'])(1n, large, never);
  });

  test('is ended when the plan is stopped, and not started afterwards', TIME_LIMIT, async () => {
    const stop = new AbortController();
    const handler = commandHandler(['sh', '-c', 'kill -USR2 $PPID; exec sleep 600']);
    const started = once(process, 'SIGUSR2');
    const ended = handler(1n, result, stop.signal);
    await started;
    stop.abort();
    await ended;
    await commandHandler(['no such command'])(1n, result, stop.signal);
  });

  test('has to be a list of words', () => {
    for (const command of [[], [''], ['a', 5], 'ls -l', undefined])
      assert.throws(() => commandHandler(command as never), { code: Status.INVALID_ARGUMENT });
  });
});

describe('W16 an HTTP server as handler', () => {
  type Seen = { method: string; url: string; headers: IncomingMessage['headers']; body: string };

  async function serve(
    answer: RequestListener,
    make: (listener: RequestListener) => Server = createServer,
  ): Promise<AsyncDisposable & { port: number; seen: Seen[] }> {
    const seen: Seen[] = [];
    const server = make(async (request, response) => {
      let body = '';
      for await (const chunk of request) body += String(chunk);
      seen.push({ method: request.method!, url: request.url!, headers: request.headers, body });
      answer(request, response);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return {
      port: (server.address() as AddressInfo).port,
      seen,
      [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())),
    };
  }
  const ok: RequestListener = (_request, response) => response.end();

  test(
    'gets the result as JSON, the index in X-Consul-Index, and the headers of its configuration',
    TIME_LIMIT,
    async () => {
      await using server = await serve(ok);
      const path = `http://127.0.0.1:${server.port}/hook?a=b`;
      await httpHandler({ path })(INDEX, result, never);
      await httpHandler({ path, method: 'PUT', header: { 'x-a': ['1', '2'] } })('hash', result, never);
      const [first, second] = server.seen;
      assert.deepEqual([first?.method, first?.url, first?.body], ['POST', '/hook?a=b', asJson]);
      assert.equal(first?.headers['content-type'], 'application/json');
      assert.equal(first?.headers['x-consul-index'], String(INDEX));
      assert.deepEqual([second?.method, second?.headers['x-a']], ['PUT', '1, 2']);
      assert.equal(second?.headers['x-consul-index'], 'hash');
    },
  );

  test('fails for what is not 2xx, and follows no redirect', TIME_LIMIT, async () => {
    for (const [status, headers] of [
      [500, {}],
      [302, { location: '/elsewhere' }],
      [404, {}],
    ] as const) {
      await using server = await serve((_request, response) => {
        response.writeHead(status, headers).end('sorry');
      });
      await assert.rejects(
        async () =>
          httpHandler({ path: `http://u:s3cr3t@127.0.0.1:${server.port}/hook?key=s3cr3t` })(
            1n,
            result,
            never,
          ),
        (error: Error) => {
          assert.match(
            error.message,
            new RegExp(`could not POST to http://127.0.0.1:\\d+/hook: status ${status}, "sorry"`),
          );
          return !error.message.includes('s3cr3t');
        },
      );
      assert.equal(server.seen.length, 1);
    }
  });

  test('has a time limit', TIME_LIMIT, async () => {
    await using server = await serve(() => {});
    await assert.rejects(
      async () => httpHandler({ path: `http://127.0.0.1:${server.port}/`, timeoutMs: 50 })(1n, result, never),
      /no answer within 50 ms/,
    );
  });

  test('is left when the plan is stopped', TIME_LIMIT, async () => {
    const asked = deferred();
    await using server = await serve(() => asked.resolve());
    const stop = new AbortController();
    const ended = httpHandler({ path: `http://127.0.0.1:${server.port}/` })(1n, result, stop.signal);
    await asked.promise;
    stop.abort();
    await ended;
  });

  test('needs a certificate that is valid, unless it is told otherwise', TIME_LIMIT, async () => {
    using authority = createAuthority();
    const { cert, key } = authority.issue('localhost', ['IP:127.0.0.1']);
    await using server = await serve(ok, (listener) => createSecureServer({ cert, key }, listener));
    const path = `https://127.0.0.1:${server.port}/`;
    await assert.rejects(async () => httpHandler({ path })(1n, result, never), /certificate/i);
    assert.equal(server.seen.length, 0);
    await httpHandler({ path, tlsSkipVerify: true })(1n, result, never);
    assert.equal(server.seen.length, 1);
  });

  test('has to be an HTTP URL, with a time limit above 0', () => {
    for (const path of ['', 'localhost', 'ftp://a/b', undefined])
      assert.throws(() => httpHandler({ path: path as never }), { code: Status.INVALID_ARGUMENT });
    assert.throws(() => httpHandler({ path: 'http://a', timeoutMs: 0 }), RangeError);
  });

  test('has to be a request that can be sent', () => {
    for (const config of [
      { method: 'BAD METHOD' },
      { method: 'post' },
      { header: { 'a b': ['1'] } },
      { header: { a: ['\u20ac'] } },
    ])
      assert.throws(() => httpHandler({ path: 'http://a', ...config }), { code: Status.INVALID_ARGUMENT });
  });
});
