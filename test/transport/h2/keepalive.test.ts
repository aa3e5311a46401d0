import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import { RpcError, Status } from 'lictor';
import { Keepalive, PingPace } from '../../../transport/h2/keepalive.js';
import { ErrorCode, GOAWAY, PING, PREFACE } from '../../../transport/h2/protocol.js';
import { clientSide } from './client-side.js';
import { frame, goAway, headers, ping, settings, settingsAck, uint32 } from './frames.js';
import { serverSide } from './server-side.js';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

let now = 0;
beforeEach(() => {
  now = 0;
  mock.method(performance, 'now', () => now);
  mock.timers.enable({ apis: ['setTimeout'] });
});
afterEach(() => {
  mock.timers.reset();
  mock.restoreAll();
});

/** Second by second, so that what a timer sets off sees the time at which it went off. */
async function pass(ms: number): Promise<void> {
  for (const end = now + ms; now < end; ) {
    now += SECOND;
    mock.timers.tick(SECOND);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** A connection whose server answers pings, unless it is told not to. */
function watched(options: { calls?: boolean; welcome?: boolean } = {}) {
  const seen = { pings: [] as number[], dead: 0, calls: options.calls ?? true, answers: true };
  const keepalive: Keepalive = new Keepalive(
    {
      ping() {
        seen.pings.push(now / SECOND);
        if (seen.answers) queueMicrotask(() => keepalive.heard());
      },
      hasCalls: () => seen.calls,
      welcomesPings: () => options.welcome ?? false,
      onDead: () => seen.dead++,
    },
    new PingPace(),
  );
  return { keepalive, seen };
}

describe('keepalive', () => {
  it('asks after ten seconds of silence, and gives the peer up after three more', async () => {
    const { seen } = watched();
    seen.answers = false;
    await pass(12 * SECOND);
    assert.deepEqual(seen.pings, [10]);
    assert.equal(seen.dead, 0);
    await pass(SECOND);
    assert.equal(seen.dead, 1);
  });

  it('does not ask a server from which something comes', async () => {
    const { keepalive, seen } = watched();
    for (let i = 0; i < 20; i++) {
      await pass(9 * SECOND);
      keepalive.heard();
    }
    assert.deepEqual(seen.pings, []);
  });

  it('does not ask without calls; the first call after a long silence asks at once', async () => {
    const { keepalive, seen } = watched({ calls: false });
    await pass(5 * MINUTE);
    assert.deepEqual(seen.pings, []);
    seen.calls = true;
    seen.answers = false;
    keepalive.called();
    assert.deepEqual(seen.pings, [300]);
    await pass(3 * SECOND);
    assert.equal(seen.dead, 1);
  });

  it('a call soon after the last answer is no reason to ask', async () => {
    const { keepalive, seen } = watched({ calls: false });
    await pass(5 * MINUTE);
    keepalive.heard();
    keepalive.called();
    assert.deepEqual(seen.pings, []);
  });

  it('asks a silent server no more often than gRPC’s servers take', async () => {
    const { seen } = watched();
    await pass(20 * MINUTE);
    // gRFC A8, in the stricter reading of grpc-core and grpc-go: time counts from the last ping, good or bad.
    let strikes = 0;
    let last = Number.NEGATIVE_INFINITY;
    for (const [i, sentAt] of seen.pings.entries()) {
      // The slowest line that is not taken for dead, and the quickest, in turns.
      const at = sentAt + (i % 2) * 3;
      if (at - last < 300) strikes++;
      last = at;
    }
    assert.ok(strikes <= 2, `${strikes} strikes by pings at ${seen.pings}`);
    assert.ok(seen.pings.length >= 4, `pings at ${seen.pings}`);
    assert.deepEqual(seen.pings.slice(0, 2), [10, 20]);
  });

  it('asks at the quick pace again once the server has answered with more than its answers to pings', async () => {
    const { keepalive, seen } = watched();
    await pass(2 * MINUTE);
    assert.deepEqual(seen.pings, [10, 20]);
    keepalive.answered();
    keepalive.heard();
    await pass(10 * SECOND);
    assert.deepEqual(seen.pings, [10, 20, 130]);
  });

  it('asks a server that welcomes it every other second, for ever', async () => {
    const { seen } = watched({ welcome: true });
    await pass(10 * MINUTE);
    assert.ok(seen.pings.length >= 290, `${seen.pings.length} pings`);
  });

  it('a pause of the whole process is not taken for a dead peer', async () => {
    const { keepalive, seen } = watched();
    seen.answers = false;
    await pass(11 * SECOND);
    assert.deepEqual(seen.pings, [10]);
    now += MINUTE;
    mock.timers.tick(3 * SECOND); // The timer is late, and
    keepalive.heard(); // what lay unread meanwhile is read before the verdict.
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(seen.dead, 0);
  });
});

describe('keepalive of a connection', () => {
  const tooMany = (last: number, code: number, text: string) =>
    frame(GOAWAY, 0, 0, Buffer.concat([uint32(last, code), Buffer.from(text)]));

  it('a peer that is silent loses its connection; the calls end with UNAVAILABLE', async () => {
    const peer = clientSide();
    peer.socket.receive(settings(), settingsAck);
    const { outcomes } = peer.call();
    await pass(10 * SECOND);
    assert.equal(peer.sent(PING).length, 1);
    await pass(3 * SECOND);
    assert.equal(outcomes[0]?.error?.code, Status.UNAVAILABLE);
    assert.match(outcomes[0].error.message, /no answer to a ping within 3000 ms/);
    assert.equal(peer.events.closed.length, 1);
    await pass(MINUTE);
    assert.equal(peer.sent(PING).length, 1);
  });

  it('a server that never acknowledges our SETTINGS is left after ten seconds (RFC 9113, 6.5.3)', async () => {
    const peer = clientSide();
    peer.socket.receive(settings());
    const { outcomes } = peer.call();
    await pass(9 * SECOND);
    assert.equal(peer.events.closed.length, 0);
    await pass(SECOND);
    assert.equal(outcomes[0]?.error?.code, Status.UNAVAILABLE);
    assert.equal(peer.sent(GOAWAY)[0]?.payload.readUInt32BE(4), ErrorCode.SETTINGS_TIMEOUT);
  });

  it('any bytes answer a ping; what is not HEADERS or DATA earns no more of them', async () => {
    const peer = clientSide();
    peer.socket.receive(settings(), settingsAck);
    const { outcomes } = peer.call();
    const answering = async () => {
      await pass(10 * SECOND);
      peer.socket.receive(ping(1));
    };
    for (let i = 0; i < 6; i++) await answering();
    assert.equal(peer.sent(PING).length, 2);
    peer.socket.receive(headers(1, [':status', '200', 'content-type', 'application/grpc']));
    for (let i = 0; i < 6; i++) await answering();
    assert.equal(peer.sent(PING).length, 4);
    assert.deepEqual(outcomes, []);
  });

  it('our servers welcome pings, and our clients know it', async () => {
    const server = serverSide();
    await pass(SECOND);
    const peer = clientSide();
    peer.socket.receive(...server.socket.written, settingsAck);
    peer.call();
    for (let i = 0; i < 60; i++) {
      await pass(SECOND);
      peer.socket.receive(ping(1));
    }
    assert.ok(peer.sent(PING).length >= 15, `${peer.sent(PING).length} pings`);
    server.socket.receive(Buffer.concat(peer.socket.written).subarray(PREFACE.length));
    assert.equal(server.error, undefined);
  });

  it('F28: of a server that welcomes pings it is known within three seconds that it hangs', async () => {
    const server = serverSide();
    await pass(SECOND);
    const peer = clientSide();
    peer.socket.receive(...server.socket.written, settingsAck);
    const { outcomes } = peer.call();
    await pass(3 * SECOND);
    assert.equal(outcomes[0]?.error?.code, Status.UNAVAILABLE);
  });

  it('F28: that it hangs is found out also when its calls have been given up', async () => {
    const server = serverSide();
    await pass(SECOND);
    const peer = clientSide();
    peer.socket.receive(...server.socket.written, settingsAck);
    peer.call().call.cancel(new RpcError(Status.CANCELLED, 'no more'));
    await pass(3 * SECOND);
    assert.equal(peer.events.closed.length, 1);
  });

  it('calls that were given up bring no pings to a server that does not welcome them', async () => {
    const peer = clientSide();
    peer.socket.receive(settings(), settingsAck);
    peer.call().call.cancel(new RpcError(Status.CANCELLED, 'no more'));
    await pass(MINUTE);
    assert.equal(peer.sent(PING).length, 0);
  });

  it('too_many_pings doubles the times of later connections to the address, and nothing else does', async () => {
    const pace = new PingPace();
    const end = (bytes: Buffer) => {
      const peer = clientSide({ pace });
      peer.socket.receive(settings(), bytes);
    };
    end(goAway(0, ErrorCode.ENHANCE_YOUR_CALM));
    end(tooMany(0, ErrorCode.NO_ERROR, 'too_many_pings'));
    assert.deepEqual([pace.quickMs, pace.patientMs], [10 * SECOND, 5 * MINUTE]);
    end(tooMany(0, ErrorCode.ENHANCE_YOUR_CALM, 'too_many_pings'));
    assert.deepEqual([pace.quickMs, pace.patientMs], [20 * SECOND, 10 * MINUTE]);
    for (let i = 0; i < 20; i++) end(tooMany(0, ErrorCode.ENHANCE_YOUR_CALM, 'too_many_pings'));
    assert.deepEqual([pace.quickMs, pace.patientMs], [120 * MINUTE, 120 * MINUTE]);
  });
});
