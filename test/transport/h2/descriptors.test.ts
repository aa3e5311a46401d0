import assert from 'node:assert/strict';
import { Server as TcpServer } from 'node:net';
import { describe, it } from 'node:test';
import { defineService, unary } from 'lictor';
import { Descriptors } from '../../../transport/h2/descriptors.js';
import { pair } from '../../pair.js';
import { recordingLogger } from '../../plugin/log.js';

const tooMany = () => Object.assign(new Error('EMFILE: too many open files'), { code: 'EMFILE' });
const Echo = defineService('lictor.test.Echo', { echo: unary<object, object>() });

describe('F43: a server without file descriptors', () => {
  it('says so at once, and then only every ten seconds', () => {
    const logger = recordingLogger();
    let left = 1;
    const descriptors = new Descriptors(logger, () => {
      if (left === 0) throw tooMany();
    });
    descriptors.check(0);
    assert.equal(logger.lines.length, 0);
    left = 0;
    for (let now = 1_000; now <= 21_000; now += 1_000) descriptors.check(now);
    assert.equal(logger.lines.length, 3);
    for (const { level, message, fields } of logger.lines) {
      assert.equal(level, 'warn');
      assert.match(message, /ulimit -n/);
      assert.match(String(fields.error), /EMFILE/);
    }
    left = 1;
    descriptors.check(60_000);
    assert.equal(logger.lines.length, 3);
  });

  it('finds one in a process that has some', () => {
    const logger = recordingLogger();
    new Descriptors(logger).check(0);
    assert.equal(logger.lines.length, 0);
  });

  it('does not end when connections cannot be accepted time and again, and says so once', async (t) => {
    const opened = t.mock.method(TcpServer.prototype, 'listen');
    await using it = await pair(Echo, { echo: (request) => request }, { transport: 'h2' });
    const tcp = opened.mock.calls[0]!.this as TcpServer;
    for (let i = 0; i < 3; i++) tcp.emit('error', tooMany());
    assert.equal(it.log.length, 1);
    assert.match(String(it.log[0]?.message), /cannot be accepted/);
    assert.deepEqual(await it.api.echo({}), {});
  });
});
