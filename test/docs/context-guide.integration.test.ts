import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { Client, type Server, type ServerStream, type Service, type Unary } from 'lictor';
import { root } from '../../scripts/root.js';
import { collect } from '../contract/transport.js';
import { blocksOf, compiled } from './guide.js';

type Seen = { user: string };
type Guide = {
  readonly server: Server;
  readonly Account: Service<{ whoAmI: Unary<object, Seen>; follow: ServerStream<object, Seen> }>;
};

test('the program of docs/guide/context.md tells each caller who it is', { timeout: 120_000 }, async () => {
  const [block, ...others] = blocksOf(readFileSync(join(root, 'docs/guide/context.md'), 'utf8'));
  assert.equal(others.length, 0);
  using guide = compiled({ context: block! });
  const { server, Account } = (await import(pathToFileURL(guide.program('context')).href)) as Guide;
  await server.serve();
  await using _ = server;
  await using client = new Client({ target: server.address });
  const account = client.service(Account);
  const users = ['alice', 'bob', undefined];
  const seen = users.map(async (user) => {
    const options = user ? { metadata: { user } } : {};
    return [await account.whoAmI({}, options), ...(await collect(account.follow({}, options)))];
  });
  assert.deepEqual(
    await Promise.all(seen),
    users.map((user = 'nobody') => [{ user }, { user }, { user }]),
  );
});
