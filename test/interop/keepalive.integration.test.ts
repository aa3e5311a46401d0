import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Client, type Engine, Status, silentLogger } from 'lictor';
import { TestService } from '../../examples/interop/gen/grpc/testing/test.js';
import { H2Connection } from '../../transport/h2/client.js';
import { h2 } from '../../transport/h2/engine.js';
import { PingPace } from '../../transport/h2/keepalive.js';
import { grpcio } from './peers.js';
import { type ServerProcess, startServer } from './process.js';

const QUICK_MS = 100;
const TIMEOUT_MS = 500;

describe('keepalive with a server of gRPC’s core, which takes a ping every five minutes', () => {
  let folder: string;
  let server: ServerProcess;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lictor-keepalive-'));
    server = await startServer(await grpcio.command('server', [], folder));
  });
  after(async () => {
    await server?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** A stream whose reply comes after a silence of many pings at the quick pace. */
  async function silentCall(pace: PingPace): Promise<number[]> {
    const transport: Engine = { ...h2, connect: (options) => new H2Connection(options, pace) };
    await using client = new Client({ target: server.address, transport, logger: silentLogger, graceMs: 0 });
    const sizes: number[] = [];
    const responseParameters = [{ size: 7, intervalUs: 8 * TIMEOUT_MS * 1_000 }];
    for await (const { payload } of client.service(TestService).streamingOutputCall({ responseParameters }))
      sizes.push(payload?.body.length ?? 0);
    return sizes;
  }

  test('a long silence with a call open does not cost the connection', async () => {
    const pace = new PingPace();
    Object.assign(pace, { quickMs: QUICK_MS, timeoutMs: TIMEOUT_MS });
    assert.deepEqual(await silentCall(pace), [7]);
    assert.equal(pace.quickMs, QUICK_MS);
  });

  test('a client without patience is sent away, and has learnt from it', async () => {
    const pace = new PingPace();
    Object.assign(pace, { quickMs: QUICK_MS, patientMs: 0, timeoutMs: TIMEOUT_MS });
    await assert.rejects(silentCall(pace), { code: Status.UNAVAILABLE });
    assert.equal(pace.quickMs, 2 * QUICK_MS);
  });
});
