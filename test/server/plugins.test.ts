import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  defineService,
  memory,
  Server,
  type ServerOptions,
  Status,
  silentLogger,
  type TracingPlugin,
} from 'lictor';
import { advertised } from '../../server/advertise.js';
import { recordingPlugin } from './plugin.js';

const A = defineService('plugins.A', {});
const B = defineService('plugins.B', {});

const serve = (options: ServerOptions) =>
  new Server({ transport: memory(), logger: silentLogger, drainMs: 0, ...options })
    .registerService(A, {})
    .registerService(B, {})
    .serve();

describe('what a server starts', () => {
  test('tracers come before registries, which start one after the other', async () => {
    const events: string[] = [];
    const tracing: TracingPlugin = {
      kind: 'tracing',
      name: 'tracing',
      init: () => {
        events.push('tracer');
        return {} as ReturnType<TracingPlugin['init']>;
      },
      interceptor: (call, next) => next(call),
    };
    const one = recordingPlugin({ name: 'one', events });
    const two = recordingPlugin({ name: 'two', events });
    await using _server = await serve({ plugins: [one, tracing, two] });
    assert.deepEqual(events, ['tracer', 'one init', 'one listed', 'two init', 'two listed']);
  });

  test('a registry is told the address, every service and what there is to say of the node', async () => {
    const plugin = recordingPlugin();
    const node = { weight: 3, zone: 'eu-1', tags: ['blue'], meta: { version: '2' } };
    await using server = await serve({ plugins: [plugin], ...node });
    const [request] = plugin.requests;
    assert.deepEqual(request, {
      ...node,
      address: server.address,
      services: ['plugins.A', 'plugins.B'],
      logger: silentLogger,
    });
    await server.initPlugins();
    assert.equal(plugin.requests.length, 1, 'listed once');
  });

  test('plugins are not started by hand before the server listens', async () => {
    const plugin = recordingPlugin();
    const server = new Server({ plugins: [plugin] });
    await assert.rejects(server.initPlugins(), { code: Status.FAILED_PRECONDITION });
    assert.deepEqual(plugin.events, []);
  });
});

describe('the address that is listed', () => {
  for (const [listening, wanted, listed] of [
    ['127.0.0.1:8000', undefined, '127.0.0.1:8000'],
    ['[::1]:8000', undefined, '[::1]:8000'],
    ['unix:/run/a.sock', undefined, 'unix:/run/a.sock'],
    ['0.0.0.0:8000', '10.0.0.5', '10.0.0.5:8000'],
    ['[::]:8000', 'node-7.internal', 'node-7.internal:8000'],
    ['[::]:8000', '2001:db8::7', '[2001:db8::7]:8000'],
    ['[::]:8000', '[2001:db8::7]', '[2001:db8::7]:8000'],
    ['[::]:8000', '[2001:db8::7]:443', '[2001:db8::7]:443'],
    // Behind NAT neither host nor port is the server's own.
    ['192.168.0.7:8000', '203.0.113.9:30080', '203.0.113.9:30080'],
    ['127.0.0.1:8000', 'unix:/run/a.sock', 'unix:/run/a.sock'],
  ] as const) {
    test(`${wanted ?? 'the own'} of a server on ${listening}`, () => {
      assert.equal(advertised(listening, wanted), listed);
    });
  }

  for (const [listening, wanted, message] of [
    ['0.0.0.0:8000', undefined, /0\.0\.0\.0:8000.*`advertise`/],
    ['[::]:8000', undefined, /\[::\]:8000.*`advertise`/],
    ['[::0]:8000', undefined, /`advertise`/],
    ['[0:0:0:0:0:0:0:0]:8000', undefined, /`advertise`/],
    ['[::ffff:0.0.0.0]:8000', undefined, /`advertise`/],
    ['127.0.0.1:8000', '0.0.0.0', /`advertise`/],
    ['127.0.0.1:8000', '::', /`advertise`/],
    ['0.0.0.0:8000', '10.0.0.5:0', /port 0.*"10\.0\.0\.5:0"/],
    ['0.0.0.0:8000', 'http://10.0.0.5', /"http:\/\/10\.0\.0\.5"/],
    ['0.0.0.0:8000', '', /address ""/],
    ['0.0.0.0:8000', 'a b', /"a b"/],
    ['unix:/run/a.sock', '10.0.0.5', /no port/],
  ] as const) {
    test(`${JSON.stringify(wanted) ?? 'the own'} of a server on ${listening} is refused`, () => {
      assert.throws(() => advertised(listening, wanted), message);
    });
  }

  test('of all interfaces is an error only when there is a registry, and then nothing is left open', async () => {
    const transport = memory();
    const address = '0.0.0.0:8000';
    await using _alone = await serve({ transport, address });
    const plugin = recordingPlugin();
    const other = memory();
    await assert.rejects(serve({ transport: other, address, plugins: [plugin] }), {
      code: Status.FAILED_PRECONDITION,
      message: /`advertise`/,
    });
    assert.deepEqual(plugin.events, []);
    await using _after = await serve({ transport: other, address, plugins: [plugin], advertise: '10.0.0.5' });
    assert.equal(plugin.requests[0]!.address, '10.0.0.5:8000');
  });
});
