import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { describe, it } from 'node:test';
import { defineService, unary } from 'lictor';
import { AddressLimit } from '../../../transport/h2/address-limit.js';
import { pair } from '../../pair.js';
import { recordingLogger } from '../../plugin/log.js';
import { hello } from './frames.js';
import { Attacker } from './under-attack.js';

const from = (remoteAddress: string | undefined) =>
  Object.assign(new EventEmitter(), { remoteAddress }) as unknown as Socket;
const Echo = defineService('lictor.test.Echo', { echo: unary<object, object>() });

describe('connections from one address', () => {
  for (const limit of [1, 256]) {
    it(`are ${limit} at the most; those that close make room, and other addresses have their own`, () => {
      const logger = recordingLogger();
      const admission = new AddressLimit(limit, logger);
      const sockets = Array.from({ length: limit * 10 }, () => from('10.0.0.1'));
      const admitted = sockets.filter((socket) => admission.admit(socket));
      assert.equal(admitted.length, limit);
      assert.ok(admission.admit(from('10.0.0.2')));
      assert.equal(logger.lines.length, 1, 'a flood of connections is no flood of lines');
      admitted[0]!.emit('close', false);
      assert.ok(admission.admit(from('10.0.0.1')));
      assert.equal(admission.admit(from('10.0.0.1')), false);
    });
  }

  it('are not counted on a unix socket', () => {
    const admission = new AddressLimit(1, recordingLogger());
    for (let i = 0; i < 5; i++) assert.ok(admission.admit(from(undefined)));
  });

  it('over the limit are closed at once, and the others served', { timeout: 20_000 }, async () => {
    await using it = await pair(
      Echo,
      { echo: (request) => request },
      { transport: 'h2', server: { maxConnectionsPerAddress: 3 } },
    );
    await it.api.echo({});
    const open = async () => {
      const attacker = new Attacker(it.server.address);
      await attacker.send(hello());
      const answered = attacker.frame(({ type }) => type === 4).then(() => true);
      return { attacker, answered: await answered.catch(() => false) };
    };
    const all = await Promise.all([open(), open(), open(), open()]);
    assert.equal(all.filter(({ answered }) => answered).length, 2);
    await it.api.echo({});
    for (const { attacker } of all) attacker.socket.destroy();
    const next = async () => {
      const { attacker, answered } = await open();
      attacker.socket.destroy();
      return answered;
    };
    while (!(await next()));
    assert.match(String(it.log[0]?.message), /maxConnectionsPerAddress/);
  });
});
