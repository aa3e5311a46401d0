import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { RegistrationRequest, ResolverPlugin } from '../../plugin/plugin.js';
import { silentLogger } from '../../rpc/log.js';
import { Status } from '../../rpc/status.js';
import { read } from './reader.js';

/** One registry as a server and a client see it: two values, as in two processes. */
export interface ResolverSetup extends AsyncDisposable {
  readonly server: ResolverPlugin;
  readonly client: ResolverPlugin;
}

const TIME_LIMIT = { timeout: 30_000 };
let serial = 0;

/**
 * What every resolver plugin must do.
 * @param exceptions names of tests that do not apply, each with its reason
 */
export function resolverContract(
  name: string,
  open: () => Promise<ResolverSetup>,
  exceptions: Readonly<Record<string, string>> = {},
): void {
  describe(`${name} keeps the contract of resolvers`, () => {
    let setup: ResolverSetup;
    const used = new Set<string>();
    before(async () => {
      setup = await open();
    });
    after(async () => {
      await setup[Symbol.asyncDispose]();
      for (const title of Object.keys(exceptions)) assert.ok(used.has(title), `no test is named "${title}"`);
    });

    const rule = (title: string, body: () => Promise<void>) => {
      const reason = exceptions[title];
      used.add(title);
      test(title, { ...TIME_LIMIT, ...(reason === undefined ? {} : { skip: reason }) }, body);
    };
    const freshName = () => `contract.Service${process.pid}_${serial++}`;
    const register = (address: string, services: string[], more: Partial<RegistrationRequest> = {}) =>
      setup.server.init({ address, services, logger: silentLogger, ...more });

    rule('the first state comes at once, also when it is empty', async () => {
      await using reader = read(setup.client, freshName());
      assert.deepEqual(await reader.next(), { kind: 'nodes', nodes: [] });
    });

    rule('a registered server is in the first state', async () => {
      const service = freshName();
      await using _entry = await register('127.0.0.1:8000', [service]);
      await using reader = read(setup.client, service);
      assert.deepEqual(await reader.next(), {
        kind: 'nodes',
        nodes: [{ address: '127.0.0.1:8000', weight: 1, tags: [], meta: {} }],
      });
    });

    rule('each change brings the complete set', async () => {
      const service = freshName();
      await using reader = read(setup.client, service);
      await reader.untilAddresses();
      await using _one = await register('127.0.0.1:8001', [service]);
      await reader.untilAddresses('127.0.0.1:8001');
      const two = await register('127.0.0.1:8002', [service]);
      await reader.untilAddresses('127.0.0.1:8001', '127.0.0.1:8002');
      await two[Symbol.asyncDispose]();
      await reader.untilAddresses('127.0.0.1:8001');
    });

    rule('the last server that goes leaves an empty set', async () => {
      const service = freshName();
      const entry = await register('127.0.0.1:8000', [service]);
      await using reader = read(setup.client, service);
      await reader.untilAddresses('127.0.0.1:8000');
      await entry[Symbol.asyncDispose]();
      assert.deepEqual(await reader.next(), { kind: 'nodes', nodes: [] });
    });

    rule('a service whose name only begins the same is not seen', async () => {
      const service = freshName();
      await using _other = await register('127.0.0.1:8000', [`${service}2`, `${service}.v2`]);
      await using reader = read(setup.client, service);
      assert.deepEqual(await reader.next(), { kind: 'nodes', nodes: [] });
      await using _own = await register('127.0.0.1:8001', [service]);
      await reader.untilAddresses('127.0.0.1:8001');
    });

    rule('a change of another service is no change', async () => {
      const service = freshName();
      await using _own = await register('127.0.0.1:8000', [service]);
      await using reader = read(setup.client, service);
      await reader.untilAddresses('127.0.0.1:8000');
      await using _other = await register('127.0.0.1:8009', [`${service}2`]);
      await using _second = await register('127.0.0.1:8001', [service]);
      const next = await reader.next();
      assert.ok(next.kind === 'nodes' && next.nodes.length === 2, 'the next state is the own change');
    });

    rule('one server registers two services under one address', async () => {
      const [first, second] = [freshName(), freshName()];
      const entry = await register('127.0.0.1:8000', [first, second]);
      for (const service of [first, second]) {
        await using reader = read(setup.client, service);
        await reader.untilAddresses('127.0.0.1:8000');
      }
      await entry[Symbol.asyncDispose]();
      for (const service of [first, second]) {
        await using reader = read(setup.client, service);
        assert.deepEqual(await reader.next(), { kind: 'nodes', nodes: [] });
      }
    });

    rule('weight, zone, tags and meta arrive as they were given', async () => {
      const service = freshName();
      const meta = { version: '1.2.3', __proto__x: 'ä€😀', constructor: 'a word', quote: '"\\\n' };
      await using _entry = await register('[::1]:8000', [service], {
        weight: 2.5,
        zone: 'eu-1a',
        tags: ['canary', 'with space'],
        meta,
      });
      await using reader = read(setup.client, service);
      const [node] = await reader.untilAddresses('[::1]:8000');
      assert.deepEqual(
        { ...node, meta: { ...node!.meta } },
        {
          address: '[::1]:8000',
          weight: 2.5,
          zone: 'eu-1a',
          tags: ['canary', 'with space'],
          meta,
        },
      );
    });

    rule('a changed weight is delivered', async () => {
      const service = freshName();
      await using _light = await register('127.0.0.1:8000', [service], { weight: 1 });
      await using reader = read(setup.client, service);
      await reader.untilAddresses('127.0.0.1:8000');
      await using _heavy = await register('127.0.0.1:8000', [service], { weight: 0 });
      await reader.untilNodes((nodes) => nodes[0]?.weight === 0);
    });

    rule('a slow reader skips states and gets the latest', async () => {
      const service = freshName();
      await using reader = read(setup.client, service);
      await reader.untilAddresses();
      const entries = [];
      for (let port = 8000; port < 8010; port++) entries.push(await register(`127.0.0.1:${port}`, [service]));
      const sizes: number[] = [];
      await reader.untilNodes((nodes) => sizes.push(nodes.length) > 0 && nodes.length === 10);
      assert.ok(sizes.length < 10, `every state was read: ${sizes.join(', ')}`);
      for (const entry of entries) await entry[Symbol.asyncDispose]();
    });

    rule('two watches of one service do not disturb each other', async () => {
      const service = freshName();
      await using first = read(setup.client, service);
      await using second = read(setup.client, service);
      await first.untilAddresses();
      await second.untilAddresses();
      await using _entry = await register('127.0.0.1:8000', [service]);
      await first.untilAddresses('127.0.0.1:8000');
      await second.untilAddresses('127.0.0.1:8000');
    });

    rule('disposing deregisters, and twice does no harm', async () => {
      const service = freshName();
      const entry = await register('127.0.0.1:8000', [service]);
      await entry[Symbol.asyncDispose]();
      await using reader = read(setup.client, service);
      assert.deepEqual(await reader.next(), { kind: 'nodes', nodes: [] });
      await entry[Symbol.asyncDispose]();
    });

    rule('disposing leaves the entries of other servers', async () => {
      const service = freshName();
      await using _stays = await register('127.0.0.1:8000', [service]);
      const goes = await register('127.0.0.1:80', [service]);
      await goes[Symbol.asyncDispose]();
      await using reader = read(setup.client, service);
      const next = await reader.next();
      assert.deepEqual(next.kind === 'nodes' && next.nodes.map((node) => node.address), ['127.0.0.1:8000']);
    });

    rule('an abort during the wait ends the watch without an error', async () => {
      const reader = read(setup.client, freshName());
      await reader.next();
      await reader.stop();
    });

    rule('an abort before the start ends the watch at once', async () => {
      for await (const _ of setup.client.watch(freshName(), AbortSignal.abort()))
        assert.fail('nothing may be yielded');
    });

    rule('a bad service name is refused by a watch', async () => {
      for (const service of [
        '',
        '../secrets',
        'a/b',
        'a..b',
        '/x',
        'a b',
        'a\0',
        '%2e%2e',
        'x'.repeat(129),
      ]) {
        await assert.rejects(
          async () => {
            for await (const _ of setup.client.watch(service, new AbortController().signal)) return;
          },
          { code: Status.INVALID_ARGUMENT },
          service,
        );
      }
    });

    rule(
      'a bad service name is refused by a registration, and the good one beside it is not registered',
      async () => {
        const good = freshName();
        for (const service of ['', '../secrets', 'a/b', 'a..b']) {
          await assert.rejects(
            register('127.0.0.1:8000', [good, service]),
            { code: Status.INVALID_ARGUMENT },
            service,
          );
        }
        await using reader = read(setup.client, good);
        assert.deepEqual(await reader.next(), { kind: 'nodes', nodes: [] });
      },
    );

    rule('an address that others cannot call is refused', async () => {
      for (const address of [
        '0.0.0.0:8000',
        '[::]:8000',
        '127.0.0.1:0',
        '127.0.0.1',
        'http://127.0.0.1:8000',
        '',
      ]) {
        await assert.rejects(register(address, [freshName()]), { code: Status.INVALID_ARGUMENT }, address);
      }
    });

    rule('it says where it looks', async () => {
      const service = freshName();
      assert.match(setup.client.describe(service), new RegExp(service));
    });
  });
}
