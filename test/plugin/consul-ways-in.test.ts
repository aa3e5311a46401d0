import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseAgentAddress } from '../../plugin/consul/agent-address.js';
import { connectConsul } from '../../plugin/consul/connection.js';
import { registerConsulResolver } from '../../plugin/consul/grpc-js.js';
import { parseTarget } from '../../plugin/consul/grpc-target.js';
import { kvOf } from '../../plugin/consul/kv.js';
import { fixedToken } from '../../plugin/consul/token.js';
import { startFakeConsul } from '../consul/fake.js';

const TOKEN = 'b1gs3cr3t-7f6e-4c11-9d0a-0123456789ab';

test('a query in an address may hold the token, and is not repeated', () => {
  assert.throws(
    () => parseAgentAddress(`http://consul:8500?token=${TOKEN}`),
    (error: Error) => /one with a query/.test(error.message) && !error.message.includes(TOKEN),
  );
});

test('a token that is no text is refused without being shown', () => {
  const token: unknown = JSON.parse('123456789');
  assert.throws(
    () => Reflect.apply(fixedToken, undefined, [token]),
    (error: Error) => /token of Consul/.test(error.message) && !error.message.includes('123456789'),
  );
});

test('a target says that only servers whose checks pass are wanted', () => {
  assert.equal(parseTarget({ path: 'a.B?passing=1' }).passing, true);
  assert.equal(parseTarget({ path: 'a.B' }).passing, false);
});

test('a resolver for grpc-js with a bad policy or time is refused at once', () => {
  const given: unknown = JSON.parse('{"emptyListPolicy":"gracious"}');
  assert.throws(
    () => Reflect.apply(registerConsulResolver, undefined, [given]),
    /emptyListPolicy.*"gracious"/,
  );
  assert.throws(() => registerConsulResolver({ emptyListGraceMs: -1 }), /emptyListGraceMs.*-1/);
});

test("a file of the environment goes before its token, as in Consul's own programs", async () => {
  await using fake = await startFakeConsul(({ list }) => list({}, '1'));
  const folder = mkdtempSync(join(tmpdir(), 'lictor-token-'));
  const { CONSUL_HTTP_TOKEN, CONSUL_HTTP_TOKEN_FILE } = process.env;
  try {
    writeFileSync(join(folder, 'token'), `${TOKEN}\n`);
    process.env.CONSUL_HTTP_TOKEN = 'another';
    process.env.CONSUL_HTTP_TOKEN_FILE = join(folder, 'token');
    await kvOf(connectConsul({ address: fake.address })).list('a/');
    assert.equal(fake.exchanges[0]!.request.headers['x-consul-token'], TOKEN);
  } finally {
    for (const [name, value] of Object.entries({ CONSUL_HTTP_TOKEN, CONSUL_HTTP_TOKEN_FILE })) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
    rmSync(folder, { recursive: true });
  }
});

test('an agent that speaks no TLS is told from one that is not there', async () => {
  await using fake = await startFakeConsul(({ list }) => list({}, '1'));
  const kv = kvOf(connectConsul({ address: `https://${fake.address}` }));
  await assert.rejects(kv.list('a/'), /does not speak TLS here/);
});
