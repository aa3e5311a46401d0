import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, RpcError, Server, Status } from 'lictor';
import { consul } from 'lictor/plugin/consul';
import { local } from 'lictor/plugin/local';

// Compiled with exactOptionalPropertyTypes, as users may have it: what is not set may be passed on.
test('an option that is undefined counts as left out', async () => {
  const unset: string | undefined = undefined;
  await using client = new Client({
    target: unset,
    resolver: local({ folder: unset }),
    balancer: unset,
    tls: unset,
  });
  void client;
  void new Server({ address: unset, advertise: unset, zone: unset, plugins: undefined });
  void consul({ address: unset, token: unset });
  void new RpcError(Status.NOT_FOUND, 'x', { metadata: unset, maybeExecuted: undefined });
});

test('whatever an interceptor throws, the caller gets an RpcError', async () => {
  const broken = async () => {
    throw new TypeError('an interceptor of the user failed');
  };
  await using client = new Client({ target: '127.0.0.1:1', interceptors: [broken] });
  await assert.rejects(client.call('/a.B/C', {}), (error: unknown) => {
    assert.ok(error instanceof RpcError);
    assert.equal(error.code, Status.UNKNOWN);
    assert.ok(error.cause instanceof TypeError);
    return true;
  });
});
