import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressPolicy } from '../../plugin/consul/address-policy.js';
import { snapshotIn } from '../../plugin/consul/snapshot.js';
import { fromNodeData } from '../../plugin/node-data.js';

const linux = { skip: process.platform === 'linux' ? false : 'there is no /proc', timeout: 20_000 };

test('a list that cannot be saved, for want of its folder, is logged', linux, async () => {
  let resolve: (line: unknown) => void = () => {};
  const promise = new Promise((settle) => {
    resolve = settle;
  });
  const logger = {
    warn: (message: string, fields: object = {}) => resolve({ message, ...fields }),
    error: () => {},
  };
  const snapshot = snapshotIn('/proc/x', 'key', addressPolicy(undefined), logger);
  snapshot.save([fromNodeData({ address: '127.0.0.1:8000' })]);
  const { message, reason } = (await promise) as { message: string; reason: string };
  assert.equal(message, 'could not save the list of nodes');
  assert.match(reason, /^cannot make the folder \/proc\/x: /);
});
