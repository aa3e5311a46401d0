import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { memory, type ServeOptions, Server, type ServerOptions, Status, silentLogger } from 'lictor';

describe('serve({ workers }) starts nothing', () => {
  for (const [why, options, workers, message] of [
    ['for no worker', {}, 0, /workers: a whole number from 1 to 256, or 'cores', got 0/],
    ['for a unix socket', { address: 'unix:/run/a.sock' }, 2, /unix:\/run\/a\.sock/],
    ['when the last would have no port', { address: '127.0.0.1:65535' }, 2, /port 65536/],
    ['when the last would advertise no port', { advertise: 'a.example:65535' }, 2, /port 65536/],
    ['for what one process alone can reach', { transport: memory() }, 2, /memory/],
  ] as readonly (readonly [string, ServerOptions, ServeOptions['workers'], RegExp])[]) {
    test(why, async () => {
      const server = new Server({ logger: silentLogger, ...options });
      await assert.rejects(server.serve({ workers }), { name: 'RangeError', message });
      assert.deepEqual(server.addresses, []);
      await server.close();
    });
  }

  test('where there is no file of the program', async (t) => {
    const [, program] = process.argv;
    t.after(() => {
      process.argv[1] = program!;
    });
    process.argv.length = 1;
    await assert.rejects(new Server().serve({ workers: 1 }), {
      code: Status.FAILED_PRECONDITION,
      message: /no file of it/,
    });
  });

  test('when the server is closed meanwhile', async () => {
    const server = new Server({ logger: silentLogger });
    const serving = assert.rejects(server.serve({ workers: 1 }), { message: /closed/ });
    await server.closeNow();
    await serving;
  });
});

test('a server without workers has one address and no number', async () => {
  await using server = await new Server({ logger: silentLogger }).serve();
  assert.deepEqual(server.addresses, [server.address]);
  assert.equal(server.worker, undefined);
});
