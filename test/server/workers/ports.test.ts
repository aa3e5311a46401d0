import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { test } from 'node:test';
import { addressOf, advertiseOf, countOf, type WorkerCount } from '../../../server/workers/ports.js';

test('there are as many workers as was said, or as there are cores', () => {
  assert.equal(countOf(1), 1);
  assert.equal(countOf(256), 256);
  assert.equal(countOf('cores'), availableParallelism());
});

for (const wrong of [0, -1, 1.5, 257, Number.NaN, Number.POSITIVE_INFINITY, '2', 'core', true, null]) {
  test(`workers: ${typeof wrong} ${wrong} is refused with the value`, () => {
    assert.throws(() => countOf(wrong as WorkerCount), {
      name: 'RangeError',
      message: new RegExp(
        `^workers: .*got ${typeof wrong === 'string' ? JSON.stringify(wrong) : String(wrong)}$`,
      ),
    });
  });
}

test('a worker adds its number to the port, but to 0', () => {
  assert.equal(addressOf(0, '127.0.0.1:8000'), '127.0.0.1:8000');
  assert.equal(addressOf(3, '127.0.0.1:8000'), '127.0.0.1:8003');
  assert.equal(addressOf(3, '[::1]:8000'), '[::1]:8003');
  assert.equal(addressOf(3, '127.0.0.1:0'), '127.0.0.1:0');
});

test('what is advertised is shifted like the address, when it has a port', () => {
  assert.equal(advertiseOf(2, 'public.example:9000'), 'public.example:9002');
  assert.equal(advertiseOf(2, 'public.example'), 'public.example');
  assert.equal(advertiseOf(2, '::1'), '::1');
});

test('an address without a port of its own for each is refused', () => {
  assert.throws(() => addressOf(0, 'unix:/run/a.sock'), /workers: .*"unix:\/run\/a\.sock"/);
  assert.throws(
    () => addressOf(6, '127.0.0.1:65530'),
    /worker 6 of 127\.0\.0\.1:65530 would have port 65536/,
  );
  assert.equal(addressOf(5, '127.0.0.1:65530'), '127.0.0.1:65535');
});
