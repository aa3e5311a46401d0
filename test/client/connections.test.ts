import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import { test } from 'node:test';
import { Connections } from '../../client/connections.js';
import type { Connection, Engine } from '../../transport/transport.js';

test('connections that are made anew, for a renewed certificate say, are made outside of any call', () => {
  const storage = new AsyncLocalStorage<string>();
  const seen: (string | undefined)[] = [];
  const connection: Pick<Connection, 'connectNow' | 'close'> = {
    connectNow: () => seen.push(storage.getStore()),
    close: async () => {},
  };
  const engine = { name: 'fake', connect: () => connection } as unknown as Engine;
  const options = { tls: undefined, maxMessageBytes: 1, compression: 'identity' } as const;
  const connections = new Connections(engine, options, 0, () => {});
  storage.run('a call', () => {
    connections.get('a:1');
    connections.connectNow();
  });
  assert.deepEqual(seen, [undefined]);
});
