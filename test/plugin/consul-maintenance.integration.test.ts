import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { consul } from '../../plugin/consul/consul.js';
import type { Node } from '../../selector/node.js';
import { SharedWatch } from '../../selector/shared-watch.js';
import { type ConsulAgent, startConsul } from '../consul/agent.js';
import { until } from '../consul/registered.js';
import { recordingLogger } from './log.js';

const TIME_LIMIT = { timeout: 30_000 };
/** Far less than the minute for which a client uses nodes that it takes for lost. */
const AT_ONCE_MS = 3_000;
const PORTS = [1, 2, 3];

describe('in catalog mode a client that is connected to three servers', () => {
  let agent: ConsulAgent;
  let watch: SharedWatch;
  let used: readonly number[];
  let logger: ReturnType<typeof recordingLogger>;

  const put = (path: string, body?: object) =>
    agent.request('PUT', path, body === undefined ? undefined : JSON.stringify(body));
  /** Resolves when these ports are used. @throws when that takes longer than at once */
  const uses = (...ports: readonly number[]) =>
    until(
      async () => used.join(),
      (now) => now === ports.join(),
      AT_ONCE_MS,
    );

  before(async () => {
    agent = await startConsul();
  });
  after(() => agent.stop());
  beforeEach(async () => {
    for (const Port of PORTS)
      await put('/agent/service/register', {
        Name: 'Drained',
        ID: `d${Port}`,
        Port,
        Address: '127.0.0.1',
        Check: { TTL: '1h', Status: 'passing' },
      });
    used = [];
    logger = recordingLogger();
    watch = new SharedWatch('Drained', {
      resolver: consul({ mode: 'catalog', address: agent.address, logger }),
      onNodes: (nodes: readonly Node[]) => {
        used = nodes.map(({ address }) => Number(address.split(':')[1])).sort();
      },
      logger,
      emptyListPolicy: 'grace',
      emptyListGraceMs: 60_000,
      link: () => 'up',
    });
    await uses(1, 2, 3);
  });
  afterEach(async () => {
    watch.close();
    for (const port of PORTS) await put(`/agent/service/deregister/d${port}`);
  });

  test('leaves two of them at once when they are put in maintenance', TIME_LIMIT, async () => {
    await put('/agent/service/maintenance/d1?enable=true');
    await put('/agent/service/maintenance/d2?enable=true&reason=disk');
    await uses(3);
    assert.equal(watch.state.kind, 'ready');
    await put('/agent/service/maintenance/d1?enable=false');
    await put('/agent/service/maintenance/d2?enable=false');
    await uses(1, 2, 3);
    assert.deepEqual(logger.lines, []);
  });

  test('leaves all of them at once when the node is put in maintenance', TIME_LIMIT, async () => {
    await put('/agent/maintenance?enable=true');
    await uses();
    assert.equal(watch.state.kind, 'empty');
    await put('/agent/maintenance?enable=false');
    await uses(1, 2, 3);
    assert.deepEqual(logger.lines, []);
  });

  test('leaves those at once whose checks fail or warn, with a word or without', TIME_LIMIT, async () => {
    await put('/agent/check/fail/service:d1');
    await put('/agent/check/fail/service:d2?note=broken');
    await uses(3);
    await put('/agent/check/warn/service:d3');
    await uses();
    assert.deepEqual(logger.lines, []);
  });

  test('uses those on that Consul has lost', TIME_LIMIT, async () => {
    for (const port of PORTS) await put(`/agent/service/deregister/d${port}`);
    await until(
      async () => watch.state.kind,
      (kind) => kind === 'stale',
    );
    // The first may have left by itself, in a list of its own.
    assert.ok(used.length >= 2, used.join());
  });
});
