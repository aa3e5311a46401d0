import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { parseAgentAddress } from '../../plugin/consul/agent-address.js';
import { createConsulClient } from '../../plugin/consul/client.js';
import { kvOf } from '../../plugin/consul/kv.js';
import { fixedToken } from '../../plugin/consul/token.js';
import { RpcError } from '../../rpc/error.js';
import { Status } from '../../rpc/status.js';
import { closedPort } from '../consul/agent.js';
import { type FakeExchange, startFakeConsul } from '../consul/fake.js';
import { deferred } from '../deferred.js';

const TIME_LIMIT = { timeout: 10_000 };
const TOKEN = 'b1gs3cr3t-7f6e-4c11-9d0a-0123456789ab';

const clientOf = (address: string, timeoutMs = 60_000) =>
  kvOf(createConsulClient({ agents: [parseAgentAddress(address)], token: fixedToken(TOKEN), timeoutMs }));

/** The failure of listing from a fake, which must hold no token however it is printed. */
async function failureOfList(
  script: (exchange: FakeExchange) => void,
  timeoutMs?: number,
): Promise<RpcError> {
  await using fake = await startFakeConsul(script);
  return await failureOf(clientOf(fake.address, timeoutMs).list('Greeter/'));
}

async function failureOf(promise: Promise<unknown>): Promise<RpcError> {
  const error = await promise.then(
    () => assert.fail('it should have failed'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof RpcError, inspect(error));
  for (const text of [
    String(error),
    error.stack,
    inspect(error, { depth: 9, showHidden: true }),
    JSON.stringify(error),
  ]) {
    assert.ok(!text?.includes(TOKEN), `the token is in ${text}`);
  }
  assert.equal(error.maybeExecuted, false, 'no call has been sent');
  return error;
}

test('W2: a listing carries keys, bytes and an index of 64 bits', TIME_LIMIT, async () => {
  const value = Buffer.from([0, 255, 254, 10]);
  await using fake = await startFakeConsul(({ send }) =>
    send(
      200,
      JSON.stringify([
        { Key: 'Greeter/a', Value: value.toString('base64') },
        { Key: 'Greeter/b', Value: null },
      ]),
      {
        'x-consul-index': '18446744073709551615',
      },
    ),
  );
  const listing = await clientOf(fake.address).list('Greeter/');
  assert.deepEqual(listing, {
    entries: [
      { key: 'Greeter/a', value, flags: 0, session: undefined, modifyIndex: 0n },
      { key: 'Greeter/b', value: Buffer.alloc(0), flags: 0, session: undefined, modifyIndex: 0n },
    ],
    index: 18446744073709551615n,
    knownLeader: true,
    lastContactMs: 0,
  });
});

test('the token travels in its header, never in the address', TIME_LIMIT, async () => {
  await using fake = await startFakeConsul(({ method, list, send }) =>
    method === 'GET' ? list({}, '1') : send(200, 'true'),
  );
  const client = clientOf(fake.address);
  await client.list('a/', { stale: true });
  await client.list('a/', { since: 18446744073709551615n, waitMs: 1_000 });
  await client.put('a/b', 'c', { flags: 3304740253564472344n });
  await client.delete('a/b');
  for (const { request } of fake.exchanges) {
    assert.equal(request.headers['x-consul-token'], TOKEN);
    assert.ok(!request.url!.includes(TOKEN));
  }
  assert.deepEqual(
    fake.exchanges.map(({ request }) => `${request.method} ${request.url}`),
    [
      'GET /v1/kv/a%2F?recurse=true&stale=1',
      'GET /v1/kv/a%2F?recurse=true&index=18446744073709551615&wait=1000ms',
      'PUT /v1/kv/a%2Fb?flags=3304740253564472344',
      'DELETE /v1/kv/a%2Fb?',
    ].map((line) => line.replace(/\?$/, '')),
  );
});

for (const index of ['0', '-1', 'abc', '1e9', '1.5', '0x10', '18446744073709551616', '9'.repeat(400), '']) {
  test(`W4, F12: the index ${JSON.stringify(index.slice(0, 30))} cannot be used`, TIME_LIMIT, async () => {
    await using fake = await startFakeConsul(({ list }) => list({ 'Greeter/a': 'x' }, index));
    assert.equal((await clientOf(fake.address).list('Greeter/')).index, undefined);
  });
}

test('W9, F15, H1: an answer that is cut short fails at once', TIME_LIMIT, async () => {
  const error = await failureOfList(({ response }) => {
    response.writeHead(200, {
      'content-type': 'application/json',
      'content-length': '1000',
      'x-consul-index': '5',
    });
    response.write('[{"Key":"Greeter/a"', () => response.destroy());
  });
  assert.equal(error.code, Status.UNAVAILABLE);
  assert.match(error.message, /cut short/);
});

test('W7, F15: an absent prefix whose answer is cut short is not taken for empty', TIME_LIMIT, async () => {
  const error = await failureOfList(({ response }) => {
    response.writeHead(404, { 'content-length': '1000', 'x-consul-index': '5' });
    response.write('x', () => response.destroy());
  });
  assert.match(error.message, /cut short/);
});

test('F15: an answer without an end is refused at 8 MiB', TIME_LIMIT, async () => {
  let sent = 0;
  const error = await failureOfList(({ response }) => {
    response.writeHead(200, { 'content-type': 'application/json', 'x-consul-index': '5' });
    const chunk = Buffer.alloc(65_536, '[');
    const more = () => {
      while (!response.destroyed && response.write(chunk)) sent += chunk.length;
    };
    response.on('drain', more);
    more();
  });
  assert.match(error.message, /longer than 8388608 bytes/);
  assert.ok(sent < 50_000_000, `${sent} bytes went through`);
});

test('H1: an agent that does not answer is given up at the deadline', TIME_LIMIT, async () => {
  const error = await failureOfList(() => {}, 50);
  assert.equal(error.code, Status.DEADLINE_EXCEEDED);
  assert.match(error.message, /127\.0\.0\.1:\d+: no answer within 50 ms/);
});

test('H1, F15: a body that stops in the middle is given up at the deadline', TIME_LIMIT, async () => {
  const error = await failureOfList(({ response }) => {
    response.writeHead(200, { 'content-type': 'application/json', 'x-consul-index': '5' });
    response.write('[');
  }, 50);
  assert.equal(error.code, Status.DEADLINE_EXCEEDED);
});

test('a redirect is not followed, so that the token goes nowhere else', TIME_LIMIT, async () => {
  await using other = await startFakeConsul(({ list }) => list({ 'Greeter/a': 'x' }, '1'));
  for (const status of [301, 302, 307, 308]) {
    const error = await failureOfList(({ send }) =>
      send(status, '', { location: `http://${other.address}/v1/kv/x` }),
    );
    assert.equal(error.code, Status.UNAVAILABLE);
    assert.match(error.message, /redirect/);
  }
  assert.equal(other.exchanges.length, 0);
});

for (const [what, status, body, type] of [
  ['a page', 200, '<html>Welcome</html>', 'text/html'],
  ['a page of an error', 502, '<html>Bad gateway</html>', 'text/html'],
  ['a page that is called JSON', 200, '<html>Welcome</html>', 'application/json'],
  ['a page not found', 404, '<html>Not found</html>', 'text/html'],
  ['nothing', 200, '', 'application/json'],
  ['null', 200, 'null', 'application/json'],
  ['an object', 200, '{"Key":"a"}', 'application/json'],
  ['a list with null', 200, '[null]', 'application/json'],
  ['a key that is a number', 200, '[{"Key":1,"Value":null}]', 'application/json'],
  ['a value that is an object', 200, '[{"Key":"a","Value":{}}]', 'application/json'],
  ['a trap for hasOwnProperty', 200, '[{"hasOwnProperty":1,"Value":"eA=="}]', 'application/json'],
  ['deep JSON', 200, '['.repeat(100_000), 'application/json'],
  ['half of JSON', 200, '[{"Key":"a"', 'application/json'],
] as const) {
  test(
    `F15, W9: ${what} (${status}) instead of a listing is an error, not an empty set`,
    TIME_LIMIT,
    async () => {
      const error = await failureOfList(({ send }) => send(status, body, { 'content-type': type }));
      assert.equal(error.code, Status.UNAVAILABLE);
      assert.ok(error.message.length < 500, 'the answer is shown cut short');
    },
  );
}

test(
  'F16, S4: a denied request names the permission that is missing, and hides a token that the answer repeats',
  TIME_LIMIT,
  async () => {
    await using fake = await startFakeConsul(({ send }) =>
      send(403, `Permission denied for ${TOKEN}`, { 'content-type': 'text/plain' }),
    );
    const client = clientOf(fake.address);
    const list = await failureOf(client.list('services/Greeter/'));
    assert.equal(list.code, Status.PERMISSION_DENIED);
    assert.match(list.message, /key_prefix "services\/Greeter\/" \{ policy = "read" \}/);
    const put = await failureOf(client.put('Greeter/a:1', 'a:1'));
    assert.equal(put.code, Status.PERMISSION_DENIED);
    assert.match(put.message, /key "Greeter\/a:1" \{ policy = "write" \}/);
    assert.equal((await failureOf(client.delete('Greeter/a:1'))).code, Status.PERMISSION_DENIED);
  },
);

test('S4, F17: too many connections and a missing leader are told apart', TIME_LIMIT, async () => {
  const many = await failureOfList(({ send }) => send(429, 'too many', { 'content-type': 'text/plain' }));
  assert.equal(many.code, Status.UNAVAILABLE);
  assert.match(many.message, /http_max_conns_per_client/);
  const leader = await failureOfList(({ send }) =>
    send(500, 'No cluster leader', { 'content-type': 'text/plain' }),
  );
  assert.equal(leader.code, Status.UNAVAILABLE);
  assert.match(leader.message, /has no cluster leader/);
});

test(
  'a request that is refused for the load is sent again when the agent says, within its time',
  TIME_LIMIT,
  async () => {
    await using fake = await startFakeConsul(({ send }, count) =>
      count === 1 ? send(429, 'rate limit exceeded', { 'retry-after': '1' }) : send(200, 'true'),
    );
    const started = performance.now();
    await clientOf(fake.address).put('a', 'b');
    assert.ok(performance.now() - started >= 990, 'not before');
    await using silent = await startFakeConsul(({ send }, count) => send(count === 1 ? 429 : 200, 'true'));
    await clientOf(silent.address).put('a', 'b');
    await using busy = await startFakeConsul(({ send }) => send(503, 'busy', { 'retry-after': '60' }));
    assert.match((await failureOf(clientOf(busy.address, 2_000).put('a', 'b'))).details, /503, "busy"/);
    assert.equal(busy.exchanges.length, 1);
  },
);

test('a key that Consul 1.21.5 does not take is a mistake of the caller', TIME_LIMIT, async () => {
  const refusal = 'invalid key name, keys should respect the "^[a-zA-Z0-9,_./\\\\-?&=]+$" format';
  await using fake = await startFakeConsul(({ send }) => send(500, refusal));
  const failure = await failureOf(clientOf(fake.address).put('Greeter/a:1', 'a:1'));
  assert.equal(failure.code, Status.INVALID_ARGUMENT);
  assert.match(failure.details, /refused to write "Greeter\/a:1": "invalid key name/);
});

test('a write that is not confirmed is an error', TIME_LIMIT, async () => {
  for (const body of ['false', '', '{}', 'x']) {
    await using fake = await startFakeConsul(({ send }) => send(200, body));
    assert.equal((await failureOf(clientOf(fake.address).put('a', 'b'))).code, Status.UNAVAILABLE, body);
  }
});

test('S4: where nobody listens, the error says what to do', TIME_LIMIT, async () => {
  const port = await closedPort();
  const error = await failureOf(clientOf(`127.0.0.1:${port}`).list('Greeter/'));
  assert.equal(error.code, Status.UNAVAILABLE);
  assert.equal(
    error.details,
    `consul at 127.0.0.1:${port}: cannot be reached (ECONNREFUSED); is the agent running? ` +
      'Start one, or say where it is with the option "address" or with CONSUL_HTTP_ADDR',
  );
});

test('W10: an abort takes the request back and rejects with its reason', TIME_LIMIT, async () => {
  const controller = new AbortController();
  const reason = new Error('enough');
  let closed = () => {};
  const gone = new Promise<void>((resolve) => {
    closed = resolve;
  });
  await using fake = await startFakeConsul(({ response }) => {
    response.on('close', closed);
    controller.abort(reason);
  });
  await assert.rejects(
    clientOf(fake.address).list('Greeter/', { since: 5n, signal: controller.signal }),
    reason,
  );
  await gone;
});

test('W10: an abort before the request sends nothing', TIME_LIMIT, async () => {
  await using fake = await startFakeConsul(({ list }) => list({}, '1'));
  await assert.rejects(clientOf(fake.address).list('Greeter/', { signal: AbortSignal.abort() }), {
    name: 'AbortError',
  });
  assert.equal(fake.exchanges.length, 0);
});

test(
  'H2: a kept connection that the agent has closed is replaced without a failure',
  TIME_LIMIT,
  async () => {
    await using fake = await startFakeConsul(({ list, response }, count) => {
      if (count === 2) response.socket!.resetAndDestroy();
      else list({ 'Greeter/a': 'x' }, '1');
    });
    const client = clientOf(fake.address);
    await client.list('Greeter/');
    assert.equal((await client.list('Greeter/')).entries.length, 1);
    assert.equal(fake.exchanges.length, 3);
  },
);

test(
  'H2, W5: a held query whose connection is reset is not repeated with its index',
  TIME_LIMIT,
  async () => {
    await using fake = await startFakeConsul(({ list, response }, count) => {
      if (count === 2) response.socket!.resetAndDestroy();
      else list({ 'Greeter/a': 'x' }, '1');
    });
    const client = clientOf(fake.address);
    await client.list('Greeter/');
    assert.equal((await failureOf(client.list('Greeter/', { since: 1n }))).code, Status.UNAVAILABLE);
    assert.equal(fake.exchanges.length, 2);
  },
);

test('W5: an index is not taken over a connection that was opened after it', TIME_LIMIT, async () => {
  const closed = deferred();
  await using fake = await startFakeConsul(({ list, request, response }, count) => {
    list({ 'Greeter/a': 'x' }, count === 1 ? '100' : '7');
    if (count > 1) return;
    request.socket.once('close', () => closed.resolve());
    response.once('finish', () => request.socket.end());
  });
  const client = clientOf(fake.address);
  const first = await client.list('Greeter/', { since: undefined });
  await closed.promise;
  const second = await client.list('Greeter/', { since: first.index });
  await client.list('Greeter/', { since: second.index });
  assert.deepEqual(
    fake.exchanges.map(({ query }) => query.get('index')),
    [null, null, '7'],
  );
});

test(
  'W5: behind what closes every connection, an index is waited from all the same',
  TIME_LIMIT,
  async () => {
    await using fake = await startFakeConsul(({ list }) =>
      list({ 'Greeter/a': 'x' }, '7', { connection: 'close' }),
    );
    const client = clientOf(fake.address);
    await client.list('Greeter/', { since: undefined });
    await client.list('Greeter/', { since: 7n });
    assert.equal(fake.exchanges[1]!.query.get('index'), '7');
  },
);

test('W1, F14: a held query that is never answered is given up soon after its wait', TIME_LIMIT, async () => {
  await using fake = await startFakeConsul(() => {});
  const error = await failureOf(clientOf(fake.address).list('Greeter/', { since: 1n, waitMs: 1 }));
  assert.equal(error.code, Status.DEADLINE_EXCEEDED);
  assert.match(
    error.message,
    /no answer within 2002 ms/,
    'wait, a sixteenth of it, and two seconds for the way',
  );
});

test('H3: queries one after the other share a connection', TIME_LIMIT, async () => {
  const sockets = new Set<unknown>();
  await using fake = await startFakeConsul(({ list, request }) => {
    sockets.add(request.socket);
    list({ 'Greeter/a': 'x' }, '1');
  });
  const client = clientOf(fake.address);
  for (let i = 0; i < 20; i++) await client.list('Greeter/');
  assert.equal(sockets.size, 1);
});

test('the address of the agent is read strictly', () => {
  const good: [string, string][] = [
    ['127.0.0.1:8500', '127.0.0.1:8500'],
    ['consul.local', 'consul.local:8500'],
    ['http://consul:80', 'consul:80'],
    ['http://consul/', 'consul:8500'],
    ['https://consul', 'https://consul:8501'],
    ['HTTPS://consul:443', 'https://consul:443'],
    ['[::1]:8500', '[::1]:8500'],
    ['[::1]', '[::1]:8500'],
    ['unix:///tmp/c.sock', 'unix:///tmp/c.sock'],
  ];
  for (const [text, shown] of good) assert.equal(parseAgentAddress(text).text, shown);
  for (const text of [
    '',
    'unix://',
    'ftp://consul',
    'consul:0',
    'consul:99999',
    'a b',
    'http://c/path',
    'http://c?x',
    'c\r\nx:1',
  ]) {
    assert.throws(() => parseAgentAddress(text), { code: Status.INVALID_ARGUMENT }, text);
  }
  assert.throws(
    () => parseAgentAddress('http://me:hunter2@consul:8500'),
    (error: RpcError) => error.code === Status.INVALID_ARGUMENT && !error.message.includes('hunter2'),
  );
});
