import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fixed } from '../../plugin/fixed/fixed.js';
import { Status } from '../../rpc/status.js';
import { read } from '../contract/reader.js';
import { resolverContract } from '../contract/resolver.js';

const never = 'a fixed list never changes and registers nothing';
resolverContract(
  'fixed',
  async () => ({ server: fixed([]), client: fixed([]), async [Symbol.asyncDispose]() {} }),
  {
    'a registered server is in the first state': never,
    'each change brings the complete set': never,
    'the last server that goes leaves an empty set': never,
    'a service whose name only begins the same is not seen': never,
    'a change of another service is no change': never,
    'one server registers two services under one address': never,
    'weight, zone, tags and meta arrive as they were given': never,
    'a changed weight is delivered': never,
    'a slow reader skips states and gets the latest': never,
    'two watches of one service do not disturb each other': never,
    'disposing leaves the entries of other servers': never,
    'an address that others cannot call is refused': 'registers nothing, so any address will do',
  },
);

test('a list serves every service', async () => {
  await using reader = read(
    fixed(['127.0.0.1:8001', { address: '127.0.0.1:8000', weight: 5, zone: 'a' }]),
    'Any',
  );
  assert.deepEqual(await reader.next(), {
    kind: 'nodes',
    nodes: [
      { address: '127.0.0.1:8000', weight: 5, zone: 'a', tags: [], meta: {} },
      { address: '127.0.0.1:8001', weight: 1, tags: [], meta: {} },
    ],
  });
});

test('a record serves the services that it names, and no others', async () => {
  const plugin = fixed({ Greeter: ['127.0.0.1:8000'] });
  await using greeter = read(plugin, 'Greeter');
  await greeter.untilAddresses('127.0.0.1:8000');
  await using other = read(plugin, 'constructor');
  assert.deepEqual(await other.next(), { kind: 'nodes', nodes: [] });
});

test('an address that cannot be called is refused when the list is made', () => {
  for (const address of ['127.0.0.1', '127.0.0.1:0', '0.0.0.0:80', 'a b:80']) {
    assert.throws(() => fixed([address]), { code: Status.INVALID_ARGUMENT }, address);
  }
  assert.throws(() => fixed({ '../x': [] }), { code: Status.INVALID_ARGUMENT });
});
