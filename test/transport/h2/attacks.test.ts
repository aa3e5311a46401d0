import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { Status } from 'lictor';
import { ErrorCode, PREFACE } from '../../../transport/h2/protocol.js';
import { seeded } from '../../seeded.js';
import {
  data,
  frame,
  headers,
  hello,
  message,
  ping,
  requestFields,
  reset,
  settings,
  windowUpdate,
} from './frames.js';
import { Attacker, ECHO, JSON_TYPE, underAttack } from './under-attack.js';

const { ENHANCE_YOUR_CALM } = ErrorCode;
const fieldsOf = (path: string, ...more: string[]) =>
  requestFields(path, ...more).map((one) => (one === 'application/grpc+raw' ? JSON_TYPE : one));
const request = (id: number, path = ECHO, ...more: string[]) => headers(id, fieldsOf(path, ...more));
const HANG = ECHO.replace(/\w+$/, (name) => (name[0] === 'E' ? 'Hang' : 'hang'));
const COUNT = ECHO.replace(/\w+$/, (name) => (name[0] === 'E' ? 'Count' : 'count'));
const text = (id: number, value = 'hi') => data(id, message(JSON.stringify({ text: value })));
const connectRequest = (id: number, path: string) =>
  headers(
    id,
    fieldsOf(path).map((one) => (one === JSON_TYPE ? 'application/json' : one)),
  );
const connectText = (id: number) => data(id, Buffer.from('{"text":"hi"}'));

describe('attacks, with a healthy client beside them', { timeout: 60_000 }, () => {
  const floods: [name: string, make: (i: number) => Buffer][] = [
    [
      'rapid reset (CVE-2023-44487)',
      (i) => Buffer.concat([request(2 * i + 1, HANG), text(2 * i + 1), reset(2 * i + 1)]),
    ],
    [
      'rapid reset in the Connect protocol',
      (i) => Buffer.concat([connectRequest(2 * i + 1, HANG), connectText(2 * i + 1), reset(2 * i + 1)]),
    ],
    [
      'resets provoked by a second header in the Connect protocol',
      (i) => Buffer.concat([connectRequest(2 * i + 1, HANG), connectRequest(2 * i + 1, HANG)]),
    ],
    [
      'resets provoked by DATA after the end (CVE-2025-8671)',
      (i) => Buffer.concat([request(2 * i + 1, HANG), text(2 * i + 1), text(2 * i + 1)]),
    ],
    [
      'CONTINUATION (CVE-2024-27983)',
      (i) => (i === 0 ? headers(1, fieldsOf(ECHO), 0) : frame(9, 0, 1, Buffer.alloc(100))),
    ],
    ['SETTINGS', () => settings([4, 70_000], [1, 4_096])],
    ['PING', () => ping()],
    ['PRIORITY', () => frame(2, 0, 1, Buffer.alloc(5))],
    ['WINDOW_UPDATE', () => windowUpdate(0, 1)],
    ['empty DATA', (i) => (i === 0 ? request(1) : data(1, Buffer.alloc(0), 0))],
    ['malformed requests', (i) => headers(2 * i + 1, ['x', 'y'])],
  ];
  for (const [name, make] of floods) {
    it(`${name}: the connection is closed`, async () => {
      await underAttack(async (address) => {
        const attacker = new Attacker(address);
        await attacker.send(hello());
        for (let i = 0; attacker.socket.writable && i < 400_000; ) {
          const burst: Buffer[] = [];
          for (let end = i + 500; i < end; i++) burst.push(make(i));
          await attacker.send(Buffer.concat(burst));
        }
        await attacker.closed;
        if (attacker.goAway !== undefined) assert.equal(attacker.goAway, ENHANCE_YOUR_CALM);
      });
    });
  }

  it('an HPACK bomb: the connection is closed', async () => {
    await underAttack(async (address) => {
      const attacker = new Attacker(address);
      const entry = Buffer.concat([Buffer.from([0x40, 1, 0x78, 0x7f, 0xa1, 0x1e]), Buffer.alloc(4_000, 'v')]);
      await attacker.send(
        Buffer.concat([hello(), frame(1, 4, 1, Buffer.concat([entry, Buffer.alloc(12_000, 0xbe)]))]),
      );
      await attacker.closed;
      assert.equal(attacker.goAway, ENHANCE_YOUR_CALM);
    });
  });

  it('a frame that announces 16 MiB: the connection is closed at once', async () => {
    await underAttack(async (address) => {
      const attacker = new Attacker(address);
      await attacker.send(Buffer.concat([hello(), Buffer.from([255, 255, 255, 0, 0, 0, 0, 0, 1])]));
      await attacker.closed;
      assert.equal(attacker.goAway, ErrorCode.FRAME_SIZE_ERROR);
    });
  });

  it('a message that announces 4 GiB is refused before any of it has come', async () => {
    await underAttack(async (address) => {
      const attacker = new Attacker(address);
      await attacker.send(Buffer.concat([hello(), request(1), data(1, message('', 0, 2 ** 32 - 1), 0)]));
      await attacker.frame(({ type, id, flags }) => type === 1 && id === 1 && (flags & 1) === 1);
      attacker.socket.destroy();
    });
  });

  it('a gzip bomb is refused at the limit of messages', async () => {
    const bomb = gzipSync(Buffer.alloc(200 * 1_048_576), { level: 9 });
    await underAttack(async (address) => {
      const attacker = new Attacker(address);
      await attacker.send(Buffer.concat([hello(), request(1, ECHO, 'grpc-encoding', 'gzip')]));
      const bytes = message(bomb, 1);
      for (let at = 0; at < bytes.length; at += 16_384) {
        const last = at + 16_384 >= bytes.length;
        await attacker.send(data(1, bytes.subarray(at, at + 16_384), last ? 1 : 0));
      }
      const trailers = await attacker.frame(
        ({ type, id, flags }) => type === 1 && id === 1 && (flags & 1) === 1,
      );
      assert.match(trailers.payload.toString('latin1'), new RegExp(String(Status.RESOURCE_EXHAUSTED)));
      attacker.socket.destroy();
    });
  });

  it('frames that come one byte at a time are answered', async () => {
    await underAttack(async (address) => {
      const attacker = new Attacker(address);
      attacker.socket.setNoDelay(true);
      for (const byte of Buffer.concat([hello(), request(1), text(1)]))
        await attacker.send(Buffer.from([byte]));
      await attacker.frame(({ type, id, flags }) => type === 1 && id === 1 && (flags & 1) === 1);
      attacker.socket.destroy();
    });
  });

  it('garbage on 300 connections: each is closed', async () => {
    const random = seeded(7);
    await underAttack(async (address) => {
      const attackers = Array.from({ length: 300 }, () => new Attacker(address));
      await Promise.all(
        attackers.map(async (attacker, i) => {
          const noise = Buffer.from(Array.from({ length: 2_000 }, () => Math.floor(random() * 256)));
          // Every third after a preface that is good, so that the noise is read as frames.
          await attacker.send(i % 3 === 0 ? Buffer.concat([hello(), noise]) : noise);
          if (i % 3 === 0) attacker.socket.end();
          await attacker.closed;
        }),
      );
    });
  });

  it('HTTP/1.1 is answered in HTTP/1.1, TLS is told that it is neither, and closed', async () => {
    await underAttack(async (address) => {
      const http = new Attacker(address);
      await http.send(Buffer.from('GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n'));
      await http.closed;
      assert.match(http.text, /^HTTP\/1\.1 404 .*content-type: application\/json/is);
      const tls = new Attacker(address);
      await tls.send(Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]));
      await tls.closed;
      assert.match(tls.text, /^HTTP\/1\.1 400 /);
    });
  });

  it('a connection that breaks off at any byte leaves nothing behind', async () => {
    const bytes = Buffer.concat([
      hello(),
      request(1, HANG),
      text(1),
      request(3, COUNT),
      data(3, message('{"n":50000}')),
    ]);
    await underAttack(async (address) => {
      for (let at = 0; at <= bytes.length; at++) {
        const attacker = new Attacker(address);
        await attacker.send(bytes.subarray(0, at));
        if (at % 2 === 0) attacker.socket.resetAndDestroy();
        else attacker.socket.destroy();
        if (at % 16 === 0) await attacker.closed;
      }
    });
  });

  it('prefaces that do not end are closed after five seconds, SETTINGS that do not come too', async () => {
    await underAttack(async (address) => {
      const attackers = Array.from({ length: 200 }, () => new Attacker(address));
      for (const [i, attacker] of attackers.entries()) await attacker.send(PREFACE.subarray(0, i % 25));
      await Promise.all(attackers.map(({ closed }) => closed));
    });
  });

  it('clients that give no window and do not read hold no more than their calls’ deadlines', async () => {
    await underAttack(async (address) => {
      const attackers = Array.from({ length: 20 }, () => new Attacker(address));
      for (const attacker of attackers) {
        await attacker.send(hello([4, 0]));
        for (let id = 1; id < 101; id += 2) {
          await attacker.send(request(id, COUNT, 'grpc-timeout', '300m'));
          await attacker.send(data(id, message('{"n":1000000}')));
        }
      }
      const ended = ({ id, type }: { id: number; type: number }) => id === 99 && (type === 1 || type === 3);
      for (const attacker of attackers) {
        await attacker.frame(ended);
        attacker.socket.destroy();
      }
    });
  });

  it('streams over the limit are refused, and the others served', async () => {
    await underAttack(
      async (address) => {
        const attacker = new Attacker(address);
        await attacker.send(hello());
        for (let id = 1; id < 2_001; id += 2)
          await attacker.send(Buffer.concat([request(id, HANG), text(id)]));
        const refused = await attacker.frame(({ type, id }) => type === 3 && id === 1_999);
        assert.equal(refused.payload.readUInt32BE(0), ErrorCode.REFUSED_STREAM);
        assert.equal(attacker.frames.filter(({ type }) => type === 3).length, 900);
        attacker.socket.destroy();
      },
      { maxStreamsPerConnection: 100 },
    );
  });
});
