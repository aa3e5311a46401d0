import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { RpcError, Status } from 'lictor';
import { post, running } from './connect-probe.js';

const ECHO = '/lictor.test.Web/Echo';
const RAW = '/lictor.test.Web/Raw';

describe('a unary call in the Connect protocol', () => {
  test('takes JSON and answers with JSON', async () => {
    await using server = await running();
    const reply = await post(server.address, '/helloworld.Greeter/SayHello', { body: '{"msg":"héllo ✓"}' });
    assert.equal(reply.status, 200);
    assert.equal(reply.headers['content-type'], 'application/json');
    assert.deepEqual(reply.json, { msg: 'hello héllo ✓' });
  });

  test('takes protobuf and answers with protobuf', async () => {
    await using server = await running();
    const headers = { 'content-type': 'application/proto', 'connect-protocol-version': '1' };
    const reply = await post(server.address, '/helloworld.Greeter/SayHello', {
      body: Buffer.from('\n\x02hi'),
      headers,
    });
    assert.equal(reply.headers['content-type'], 'application/proto');
    assert.equal(reply.text, '\n\x08hello hi');
  });

  test('may have an empty body in protobuf, which is a message without fields, compressed or not', async () => {
    await using server = await running();
    for (const encoding of ['identity', 'gzip']) {
      const headers = { 'content-type': 'application/proto', 'content-encoding': encoding };
      const reply = await post(server.address, '/helloworld.Greeter/SayHello', { body: '', headers });
      assert.equal(reply.text, '\n\x06hello ');
    }
  });

  test('reaches health checks', async () => {
    await using server = await running();
    const reply = await post(server.address, '/grpc.health.v1.Health/Check');
    assert.deepEqual(reply.json, { status: 'SERVING' });
  });

  test('passes the interceptors', async () => {
    await using server = await running({
      interceptors: [
        (call, next) => {
          if (call.metadata.get('authorization') !== 'Bearer me')
            throw new RpcError(Status.UNAUTHENTICATED, 'who are you?');
          return next(call);
        },
      ],
    });
    const refused = await post(server.address, ECHO);
    assert.equal(refused.status, 401);
    assert.deepEqual(refused.json, { code: 'unauthenticated', message: 'who are you?' });
    const headers = { authorization: 'Bearer me' };
    assert.equal((await post(server.address, ECHO, { body: '{"text":"a"}', headers })).status, 200);
  });

  test('may name its content type in capitals and with the charset UTF-8', async () => {
    await using server = await running();
    const headers = { 'content-type': 'Application/JSON; charset="UTF-8"' };
    const reply = await post(server.address, ECHO, { body: '{"text":"a"}', headers });
    assert.equal(reply.headers['content-type'], 'application/json');
    assert.deepEqual(reply.json, { text: 'a' });
  });

  test('is found by its path whatever the query, and when the target names the host', async () => {
    await using server = await running();
    const body = '{"text":"a"}';
    for (const path of [`${ECHO}?debug=1`, `http://${server.address}${ECHO}`]) {
      assert.deepEqual((await post(server.address, path, { body })).json, { text: 'a' });
    }
  });

  test('counts as one of the calls in flight', async () => {
    await using server = await running({ maxConcurrentCalls: 1 });
    const first = post(server.address, '/lictor.test.Web/Wait');
    await server.bench.until(() => server.bench.waiting.length === 1);
    const second = await post(server.address, ECHO);
    assert.equal(second.status, 429);
    assert.deepEqual(second.json, {
      code: 'resource_exhausted',
      message: 'the server has 1 calls in flight, its limit',
    });
    server.bench.release(0);
    assert.equal((await first).status, 200);
  });
});

describe('an error in the Connect protocol', () => {
  const table: readonly [Status, string, number][] = [
    [Status.CANCELLED, 'canceled', 499],
    [Status.UNKNOWN, 'unknown', 500],
    [Status.INVALID_ARGUMENT, 'invalid_argument', 400],
    [Status.DEADLINE_EXCEEDED, 'deadline_exceeded', 504],
    [Status.NOT_FOUND, 'not_found', 404],
    [Status.ALREADY_EXISTS, 'already_exists', 409],
    [Status.PERMISSION_DENIED, 'permission_denied', 403],
    [Status.RESOURCE_EXHAUSTED, 'resource_exhausted', 429],
    [Status.FAILED_PRECONDITION, 'failed_precondition', 400],
    [Status.ABORTED, 'aborted', 409],
    [Status.OUT_OF_RANGE, 'out_of_range', 400],
    [Status.UNIMPLEMENTED, 'unimplemented', 501],
    [Status.INTERNAL, 'internal', 500],
    [Status.UNAVAILABLE, 'unavailable', 503],
    [Status.DATA_LOSS, 'data_loss', 500],
    [Status.UNAUTHENTICATED, 'unauthenticated', 401],
  ];

  test('has the status of HTTP that Connect gives to its code, and a body that says both', async () => {
    await using server = await running();
    for (const [code, name, status] of table) {
      const headers = { 'content-type': 'application/json' };
      const reply = await post(server.address, '/lictor.test.Web/Fail', {
        body: JSON.stringify({ code }),
        headers,
      });
      assert.equal(reply.status, status, name);
      assert.equal(reply.headers['content-type'], 'application/json');
      assert.deepEqual(reply.json, { code: name, message: 'as you wished: ümläut\n' });
      assert.equal(reply.headers['x-kept'], 'header');
      assert.equal(reply.headers['trailer-y-kept'], 'trailer');
      assert.equal(reply.headers['trailer-y-error'], 'yes');
    }
  });

  test('is JSON for clients of protobuf, too', async () => {
    await using server = await running();
    const headers = { 'content-type': 'application/proto' };
    const reply = await post(server.address, '/helloworld.Greeter/SayHello', {
      body: Buffer.from([0x0a, 0x09]),
      headers,
    });
    assert.equal(reply.status, 400);
    assert.equal(reply.headers['content-type'], 'application/json');
    assert.match(reply.text, /"invalid_argument","message":"helloworld.HelloRequest: malformed protobuf: /);
  });

  test('of a handler that broke tells nothing of the server', async () => {
    await using server = await running();
    const reply = await post(server.address, '/lictor.test.Web/Crash');
    assert.equal(reply.status, 500);
    assert.match(
      reply.text,
      /^\{"code":"unknown","message":"the handler failed; the server's log has it under \w+"\}$/,
    );
  });
});

describe('a mistake in a request is answered with what is wrong', () => {
  const cases: [
    what: string,
    path: string,
    options: Parameters<typeof post>[2],
    status: number,
    says: RegExp,
  ][] = [
    [
      'no path',
      '/',
      { method: 'GET' },
      404,
      /the method \/; call POST \/package\.Service\/Method with content-type: application\/json/,
    ],
    [
      'an unknown method',
      '/lictor.test.Web/Nope',
      {},
      404,
      /"unimplemented".*the method \/lictor\.test\.Web\/Nope/,
    ],
    ['a method of Object', '/lictor.test.Web/constructor', {}, 404, /"unimplemented"/],
    ['the prototype', '/__proto__/constructor', {}, 404, /"unimplemented"/],
    ['a path in other letters', ECHO.toLowerCase(), {}, 404, /"unimplemented"/],
    ['two slashes', `/${ECHO}`, {}, 404, /"unimplemented"/],
    ['an escaped path', ECHO.replace('Web', '%57eb'), {}, 404, /"unimplemented"/],
    [
      'GET',
      ECHO,
      { method: 'GET' },
      405,
      /Echo is called by POST with content-type: application\/json, not by GET/,
    ],
    ['PUT', ECHO, { method: 'PUT' }, 405, /not by PUT/],
    [
      'a form',
      ECHO,
      { headers: { 'content-type': 'application/x-www-form-urlencoded' } },
      415,
      /application\/json is wanted, got \\"application\/x-www/,
    ],
    ['plain text', ECHO, { headers: { 'content-type': 'text/plain' } }, 415, /got \\"text\/plain/],
    ['no content type', ECHO, { headers: { 'content-type': '' } }, 415, /got none/],
    [
      'half a content type',
      ECHO,
      { headers: { 'content-type': 'application/' } },
      415,
      /got \\"application\//,
    ],
    [
      'another charset',
      ECHO,
      { headers: { 'content-type': 'application/json; charset=utf-16' } },
      415,
      /charset=utf-16/,
    ],
    [
      'gRPC',
      ECHO,
      { headers: { 'content-type': 'application/grpc' } },
      415,
      /gRPC itself is spoken over HTTP\/2/,
    ],
    [
      'protobuf for a service that has none',
      ECHO,
      { headers: { 'content-type': 'application/proto' } },
      415,
      /application\/json is wanted/,
    ],
    [
      'a stream',
      '/lictor.test.Web/Count',
      {},
      415,
      /"unimplemented".*Count is a stream, and streams are carried by gRPC over HTTP\/2 only/,
    ],
    [
      'another version',
      ECHO,
      { headers: { 'connect-protocol-version': '2' } },
      400,
      /connect-protocol-version: 1 is wanted, got \\"2\\"/,
    ],
    [
      'a time-out of 11 digits',
      ECHO,
      { headers: { 'connect-timeout-ms': '10000000000' } },
      400,
      /connect-timeout-ms: .*got \\"10000000000/,
    ],
    ['a negative time-out', ECHO, { headers: { 'connect-timeout-ms': '-1' } }, 400, /connect-timeout-ms/],
    ['a time-out with a unit', ECHO, { headers: { 'connect-timeout-ms': '1s' } }, 400, /connect-timeout-ms/],
    ['an empty body', ECHO, { body: '' }, 400, /the body is empty; JSON is wanted, at least \{\}/],
    ['JSON that breaks off', ECHO, { body: '{"text":' }, 400, /malformed json: Unexpected end of JSON input/],
    ['a word for JSON', ECHO, { body: '{text:1}' }, 400, /malformed json: .* position 1/],
    [
      'bytes that are no UTF-8',
      ECHO,
      { body: Buffer.from([0x22, 0xff, 0x22]) },
      400,
      /malformed json: .*not valid/,
    ],
    ['deep nesting', ECHO, { body: '['.repeat(65) + ']'.repeat(65) }, 400, /nested deeper than 64/],
    [
      'a number for a text',
      '/helloworld.Greeter/SayHello',
      { body: '{"msg":5}' },
      400,
      /helloworld\.HelloRequest: malformed json: .*msg/,
    ],
    [
      'an unknown compression',
      ECHO,
      { headers: { 'content-encoding': 'br' } },
      501,
      /compression \\"br\\" is not known; there are: identity, gzip/,
    ],
    ['two compressions', ECHO, { headers: { 'content-encoding': 'gzip, gzip' } }, 501, /is not known/],
    ['what is no gzip', ECHO, { headers: { 'content-encoding': 'gzip' } }, 400, /malformed gzip/],
  ];
  for (const [what, path, options, status, says] of cases) {
    test(`${what}: ${status}`, async () => {
      await using server = await running();
      const reply = await post(server.address, path, options);
      assert.equal(reply.status, status);
      assert.equal(reply.headers['content-type'], 'application/json');
      assert.match(reply.text, says);
      // Of a method that is not there, as over gRPC: the call has not run.
      assert.equal(reply.headers['trailer-lictor-not-executed'], status === 404 ? '1' : undefined);
      if (status === 405) assert.equal(reply.headers.allow, 'POST');
      if (status === 415 && !says.source.includes('stream'))
        assert.equal(reply.headers['accept-post'], 'application/json');
      if (status === 501) assert.equal(reply.headers['accept-encoding'], 'identity,gzip');
    });
  }

  test('what is accepted is named by the methods of a service with a .proto', async () => {
    await using server = await running();
    const reply = await post(server.address, '/helloworld.Greeter/SayHello', {
      headers: { 'content-type': 'text/xml' },
    });
    assert.equal(reply.headers['accept-post'], 'application/json, application/proto');
  });

  test('a client of Connect’s streams gets its error as the end of a stream', async () => {
    await using server = await running();
    const headers = { 'content-type': 'application/connect+json' };
    const reply = await post(server.address, '/lictor.test.Web/Count', { headers });
    assert.equal(reply.status, 200);
    assert.equal(reply.headers['content-type'], 'application/connect+json');
    assert.equal(reply.bytes[0], 2);
    assert.equal(reply.bytes.readUInt32BE(1), reply.bytes.length - 5);
    const end = JSON.parse(reply.bytes.subarray(5).toString()) as { error: { code: string } };
    assert.equal(end.error.code, 'unimplemented');
  });

  test('HEAD has an answer without a body', async () => {
    await using server = await running();
    const reply = await post(server.address, ECHO, { method: 'HEAD', body: '' });
    assert.equal(reply.status, 405);
    assert.equal(reply.text, '');
  });

  test('keys that would become prototypes are dropped', async () => {
    await using server = await running();
    const body = '{"__proto__":{"admin":true},"constructor":{"prototype":{"admin":true}},"kept":1}';
    const reply = await post(server.address, RAW, { body });
    assert.deepEqual(reply.json, { request: { kept: 1 }, admin: false });
    assert.equal(({} as { admin?: boolean }).admin, undefined);
  });
});

describe('metadata in the Connect protocol', () => {
  test('is every header that is not the protocol’s', async () => {
    await using server = await running();
    const headers = {
      'x-text': ['a', 'b'],
      'x-bytes-bin': 'AQID/w==',
      'x-more-bin': 'AQ, Ag==',
      'connect-protocol-version': '1',
      'connect-timeout-ms': '1000',
      'connect-else': 'no',
      'grpc-timeout': '1n',
      'accept-encoding': 'gzip',
      accept: '*/*',
      te: 'trailers',
      __proto__: 'no',
      cookie: 'a=b',
    };
    await post(server.address, ECHO, { headers });
    const { metadata } = server.bench;
    assert.deepEqual(metadata.getAll('x-text'), ['a', 'b']);
    assert.deepEqual(Buffer.from(metadata.getBinary('x-bytes-bin')!), Buffer.from([1, 2, 3, 255]));
    assert.equal(metadata.getAll('x-more-bin').length, 2);
    assert.deepEqual([...metadata].map(([key]) => key).sort(), [
      'cookie',
      'x-bytes-bin',
      'x-more-bin',
      'x-more-bin',
      'x-text',
      'x-text',
    ]);
  });

  test('comes back as headers, what would be a trailer with a prefix', async () => {
    await using server = await running();
    const headers = { 'x-a': ['1', '2'], 'x-b-bin': 'AP8=', 'y-c': 'c', 'y-d-bin': 'AP8' };
    const reply = await post(server.address, ECHO, { body: '{"text":""}', headers });
    assert.equal(reply.headers['x-a'], '1, 2');
    assert.equal(reply.headers['x-b-bin'], 'AP8');
    assert.equal(reply.headers['trailer-y-c'], 'c');
    assert.equal(reply.headers['trailer-y-d-bin'], 'AP8');
    assert.equal(reply.headers.trailer, undefined);
  });

  test('that is not ASCII is left out, as in gRPC', async () => {
    await using server = await running();
    const headers = { 'x-latin': 'caf\xe9', 'x-kept': 'yes' };
    const reply = await post(server.address, ECHO, { body: '{"text":""}', headers });
    assert.equal(reply.status, 200);
    assert.equal(reply.headers['x-kept'], 'yes');
    assert.equal(reply.headers['x-latin'], undefined);
  });

  test('over the limit of the server is refused', async () => {
    await using server = await running({ maxMetadataBytes: 1_000 });
    const reply = await post(server.address, ECHO, { headers: { 'x-long': 'a'.repeat(1_000) } });
    assert.equal(reply.status, 429);
    assert.match(reply.text, /metadata of 10\d\d bytes, at most 1000 are taken/);
  });

  test('a header over 16 KiB is refused before it is read on', async () => {
    await using server = await running();
    const reply = await post(server.address, ECHO, { headers: { 'x-long': 'a'.repeat(17 * 1024) } });
    assert.equal(reply.status, 431);
    assert.match(reply.text, /the header of the request is over the limit/);
  });
});

describe('deadlines in the Connect protocol', () => {
  test('a time-out of 10 digits is taken, and cut to 24 hours', async () => {
    await using server = await running();
    await post(server.address, ECHO, { headers: { 'connect-timeout-ms': '9999999999' } });
    assert.ok(server.bench.remainingMs > 86_000_000 && server.bench.remainingMs <= 86_400_000);
  });

  test('a call without one has the server’s', async () => {
    await using server = await running({ timeoutMs: 5_000 });
    await post(server.address, ECHO);
    assert.ok(server.bench.remainingMs > 4_000 && server.bench.remainingMs <= 5_000);
  });

  test('a call ends at its deadline, and its handler hears of it', async () => {
    await using server = await running();
    const reply = await post(server.address, '/lictor.test.Web/Hang', {
      headers: { 'connect-timeout-ms': '50' },
    });
    assert.equal(reply.status, 504);
    assert.match(reply.text, /"deadline_exceeded"/);
    assert.deepEqual(server.bench.aborted, ['DEADLINE_EXCEEDED']);
  });

  test('a time-out of 0 has passed when the call arrives: no handler is started', async () => {
    await using server = await running();
    const reply = await post(server.address, ECHO, { headers: { 'connect-timeout-ms': '0' } });
    assert.equal(reply.status, 504);
    assert.equal(server.bench.started, 0);
  });

  test('a deadline holds while the body is on its way', async () => {
    await using server = await running();
    const reply = await post(server.address, ECHO, {
      headers: { 'connect-timeout-ms': '50' },
      body: '',
      onRequest: (request) => {
        request.write('{"text":');
        request.end = () => request; // Never says the rest.
      },
    });
    assert.equal(reply.status, 504);
    assert.equal(server.bench.started, 0);
  });
});

describe('compression in the Connect protocol', () => {
  const long = JSON.stringify({ text: 'a'.repeat(1_000) });

  test('a request in gzip is taken', async () => {
    await using server = await running();
    const reply = await post(server.address, ECHO, {
      body: gzipSync(long),
      headers: { 'content-encoding': 'GZIP' },
    });
    assert.equal(reply.text, long);
  });

  test('replies are compressed when server and client want it', async () => {
    await using server = await running({ compression: 'gzip' });
    for (const accepts of ['gzip', 'br, gzip;q=0.5', 'deflate,GZIP']) {
      const reply = await post(server.address, ECHO, { body: long, headers: { 'accept-encoding': accepts } });
      assert.equal(reply.headers['content-encoding'], 'gzip', accepts);
      assert.equal(gunzipSync(reply.bytes).toString(), long);
    }
    for (const accepts of ['identity', 'br', 'gzip;q=0', 'gzip; q=0.0']) {
      const reply = await post(server.address, ECHO, { body: long, headers: { 'accept-encoding': accepts } });
      assert.equal(reply.headers['content-encoding'], undefined, accepts);
      assert.equal(reply.text, long);
    }
  });

  test('a client that says nothing takes what it sends', async () => {
    await using server = await running({ compression: 'gzip' });
    assert.equal((await post(server.address, ECHO, { body: long })).text, long);
    const reply = await post(server.address, ECHO, {
      body: gzipSync(long),
      headers: { 'content-encoding': 'gzip' },
    });
    assert.equal(gunzipSync(reply.bytes).toString(), long);
  });

  test('a handler chooses the compression of its reply, and may leave one as it is', async () => {
    await using server = await running();
    const headers = { 'accept-encoding': 'gzip' };
    for (const [text, encoding] of [
      ['compress', 'gzip'],
      ['compress, but not this', undefined],
    ] as const) {
      const reply = await post(server.address, ECHO, { body: JSON.stringify({ text }), headers });
      assert.equal(reply.headers['content-encoding'], encoding);
    }
    await post(server.address, ECHO, { body: gzipSync(long), headers: { 'content-encoding': 'gzip' } });
    assert.equal(server.bench.requestCompressed, true);
    await post(server.address, ECHO, { body: long });
    assert.equal(server.bench.requestCompressed, false);
  });

  test('a server that does not compress leaves replies as they are', async () => {
    await using server = await running();
    const reply = await post(server.address, ECHO, { body: long, headers: { 'accept-encoding': 'gzip' } });
    assert.equal(reply.headers['content-encoding'], undefined);
  });

  test('a bomb is refused while it inflates', async () => {
    await using server = await running();
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024));
    const reply = await post(server.address, ECHO, { body: bomb, headers: { 'content-encoding': 'gzip' } });
    assert.equal(reply.status, 429);
    assert.match(reply.text, /compressed bytes inflates to more than/);
  });

  test('the limit of messages holds for what is inflated', async () => {
    await using server = await running({ maxMessageBytes: 10_000 });
    const json = (bytes: number) => JSON.stringify({ text: randomText(bytes - '{"text":""}'.length) });
    const headers = { 'content-encoding': 'gzip' };
    assert.equal((await post(server.address, ECHO, { body: gzipSync(json(10_000)), headers })).status, 200);
    const reply = await post(server.address, ECHO, { body: gzipSync(json(10_001)), headers });
    assert.equal(reply.status, 429);
    assert.match(reply.text, /inflates to more than 10000/);
  });
});

describe('the size of messages in the Connect protocol', () => {
  const LIMIT = 100_000;
  const body = (bytes: number) => JSON.stringify({ text: 'a'.repeat(bytes - '{"text":""}'.length) });

  for (const chunked of [false, true]) {
    const how = chunked ? 'in chunks' : 'whole';
    test(`is taken up to the limit, sent ${how}`, async () => {
      await using server = await running({ maxMessageBytes: LIMIT });
      const headers = chunked ? { 'transfer-encoding': 'chunked' } : {};
      assert.equal((await post(server.address, ECHO, { body: body(LIMIT), headers })).status, 200);
      const reply = await post(server.address, ECHO, { body: body(LIMIT + 1), headers });
      assert.equal(reply.status, 429);
      assert.match(reply.text, /message of more than 100000 bytes, the most that is taken/);
      assert.equal(server.bench.started, 1);
    });
  }

  test('a reply over the limit is an error', async () => {
    await using server = await running({ maxMessageBytes: 100 });
    const reply = await post(server.address, '/lictor.test.Web/Raw', { body: body(100) });
    assert.equal(reply.status, 429);
    assert.match(reply.text, /reply of \d+ bytes, at most 100 are sent/);
  });

  test('a client that expects to be told to go on is', async () => {
    await using server = await running();
    let told = false;
    const reply = await post(server.address, ECHO, {
      headers: { expect: '100-continue', 'content-length': '12' },
      body: '',
      onRequest: (request) => {
        const end = request.end.bind(request);
        request.end = () => request;
        request.on('continue', () => {
          told = true;
          end('{"text":"a"}');
        });
        request.flushHeaders();
      },
    });
    assert.ok(told);
    assert.deepEqual(reply.json, { text: 'a' });
  });
});

/** Text that hardly compresses. */
function randomText(length: number): string {
  let seed = 1;
  let text = '';
  while (text.length < length) {
    seed = (seed * 48_271) % 0x7fff_ffff;
    text += seed.toString(36);
  }
  return text.slice(0, length);
}
