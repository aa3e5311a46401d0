import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  type Balancer,
  type CallContext,
  Client,
  type ClientOptions,
  defineService,
  detached,
  type Engine,
  type Interceptor,
  Metadata,
  memory,
  RpcError,
  Server,
  type ServerOptions,
  Status,
  serverStream,
  unary,
} from 'lictor';
import { fixed } from 'lictor/plugin/fixed';
import { refusal } from '../../rpc/not-executed.js';
import { recordingLogger } from '../plugin/log.js';

const LIMIT = { timeout: 20_000 };
const SOON = { minDelayMs: 1, maxDelayMs: 2 };

const Shop = defineService('shop.Shop', {
  look: unary<object, { at: string }>({ idempotent: true }),
  buy: unary<object, { at: string }>(),
  list: serverStream<object, { at: string }>({ idempotent: true }),
});

type Attempt = { readonly at: string; readonly context: CallContext };

/** Servers whose handlers do as `answer` says, and a client that notes nothing itself. */
async function shop(
  count: number,
  answer: (attempt: Attempt, nth: number) => unknown,
  options: ClientOptions = {},
  serverOptions: ServerOptions = {},
) {
  const transport = memory();
  const attempts: Attempt[] = [];
  const servers: Server[] = [];
  const logger = recordingLogger();
  const handle = async (at: string, context: CallContext) => {
    const attempt = { at, context };
    attempts.push(attempt);
    await answer(attempt, attempts.length);
    return { at };
  };
  for (let i = 1; i <= count; i++) {
    const address = `node-${i}:1`;
    const server = new Server({ address, transport, logger, graceMs: 0, ...serverOptions });
    server.registerService(Shop, {
      look: (_, context) => handle(address, context),
      buy: (_, context) => handle(address, context),
      async *list(_, context) {
        yield await handle(address, context);
        yield { at: 'more' };
      },
    });
    await server.serve();
    servers.push(server);
  }
  const client = new Client({
    resolver: fixed(servers.map(({ address }) => address)),
    transport,
    logger,
    ejection: false,
    retry: SOON,
    ...options,
  });
  return {
    api: client.service(Shop),
    client,
    attempts,
    async [Symbol.asyncDispose]() {
      await client.close();
      await Promise.all(servers.map((server) => server.closeNow()));
    },
  };
}

const unavailable = (metadata = {}) => new RpcError(Status.UNAVAILABLE, 'not now', { metadata });
const failing = (times: number) => (_: Attempt, nth: number) => {
  if (nth <= times) throw unavailable();
};
const addresses = (attempts: readonly Attempt[]) => attempts.map(({ at }) => at);
const previous = (attempts: readonly Attempt[]) =>
  attempts.map(({ context }) => context.metadata.get('grpc-previous-rpc-attempts'));

/** Picks once, and then fails: an attempt after the first ends here, certain not to have run. */
function onePick(): Balancer {
  let picks = 0;
  return {
    name: 'one pick',
    build: (nodes) => () => {
      if (picks++ > 0) throw new Error('no more picks');
      return nodes[0]!;
    },
  };
}

describe('a call whose first attempt may have run', LIMIT, () => {
  const error = { code: Status.INTERNAL, maybeExecuted: true };
  test('says so when its second has not', async () => {
    await using it = await shop(1, failing(9), { balancer: onePick() });
    await assert.rejects(it.api.look({}), error);
  });

  test('says so as a stream', async () => {
    await using it = await shop(1, failing(9), { balancer: onePick() });
    await assert.rejects(it.api.list({})[Symbol.asyncIterator]().next(), error);
  });

  test('says so when it is hedged, and the first one hangs', async () => {
    const retry = { ...SOON, hedgeAfterMs: 1 };
    await using it = await shop(1, () => new Promise(() => {}), { balancer: onePick(), retry });
    await assert.rejects(it.api.look({}), error);
  });
});

describe('a call that fails', LIMIT, () => {
  test('goes to other nodes when its method is idempotent, and says how often it was sent before', async () => {
    await using it = await shop(3, failing(2));
    await it.api.look({}, { metadata: { a: 'b' } });
    assert.equal(new Set(addresses(it.attempts)).size, 3);
    assert.deepEqual(previous(it.attempts), [undefined, '1', '2']);
    assert.ok(it.attempts.every(({ context }) => context.metadata.get('a') === 'b'));
  });

  test('is not sent again when it may have run and its method is not idempotent', async () => {
    await using it = await shop(3, failing(1));
    await assert.rejects(it.api.buy({}), { code: Status.UNAVAILABLE, maybeExecuted: true });
    assert.equal(it.attempts.length, 1);
  });

  test('is what the call says it is', async () => {
    await using it = await shop(3, failing(1));
    await it.api.buy({}, { idempotent: true });
    assert.equal(it.attempts.length, 2);
    it.attempts.length = 0;
    await assert.rejects(it.api.look({}, { idempotent: false }));
  });

  test('fails with its last error after all attempts, which tells those before not to try again', async () => {
    await using it = await shop(3, failing(9));
    await assert.rejects(it.api.look({}), (error: RpcError) => {
      assert.equal(error.details, 'not now (the last of 3 attempts)');
      assert.equal(error.metadata?.get('grpc-retry-pushback-ms'), '-1');
      return true;
    });
    assert.equal(it.attempts.length, 3);
  });

  test('is not sent again for a status that another attempt would not change', async () => {
    await using it = await shop(3, () => {
      throw new RpcError(Status.NOT_FOUND, 'no');
    });
    await assert.rejects(it.api.look({}), { code: Status.NOT_FOUND, details: 'no' });
    assert.equal(it.attempts.length, 1);
  });

  test('is not sent again when the server has begun to answer', async () => {
    await using it = await shop(3, ({ context }) => {
      context.sendHeader();
      throw unavailable();
    });
    await assert.rejects(it.api.look({}), { code: Status.UNAVAILABLE });
    assert.equal(it.attempts.length, 1);
  });

  for (const [pushback, sent] of [
    ['0', 3],
    ['-1', 1],
    ['soon', 1],
  ] as const) {
    test(`is sent ${sent} times when the server pushes back with ${pushback}`, async () => {
      const retry = { minDelayMs: 60_000, maxDelayMs: 60_000 };
      await using it = await shop(
        3,
        (_, nth) => {
          if (nth < 3) throw unavailable({ 'grpc-retry-pushback-ms': pushback });
        },
        { retry },
      );
      await it.api.look({}).catch(() => {});
      assert.equal(it.attempts.length, sent);
    });
  }

  test('F50: is not sent again by a layer above one that has given up', async () => {
    await using inner = await shop(3, failing(100));
    await using outer = await shop(3, () => inner.api.look({}));
    await assert.rejects(outer.api.look({}), { code: Status.UNAVAILABLE });
    assert.deepEqual([outer.attempts.length, inner.attempts.length], [1, 3]);
  });

  test('is not sent again beyond its deadline', async () => {
    const retry = { minDelayMs: 60_000, maxDelayMs: 60_000 };
    await using it = await shop(3, failing(1), { retry });
    await assert.rejects(it.api.look({}, { timeoutMs: 5_000 }), { code: Status.UNAVAILABLE });
  });

  test('ends at once when it is cancelled before its next attempt', async () => {
    const stop = new AbortController();
    const retry = { minDelayMs: 60_000, maxDelayMs: 60_000 };
    await using it = await shop(3, failing(1), { retry, timeoutMs: Infinity });
    const failed = assert.rejects(it.api.look({}, { signal: stop.signal }), { code: Status.CANCELLED });
    while (it.attempts.length === 0) await new Promise(setImmediate);
    setTimeout(() => stop.abort(), 20);
    await failed;
    assert.equal(it.attempts.length, 1);
  });

  test('is not sent again with `retry: false`', async () => {
    await using it = await shop(3, failing(1), { retry: false });
    await assert.rejects(it.api.look({}), { details: 'not now' });
  });
});

describe('a call that its server has refused', LIMIT, () => {
  const refusing = (times: number) => (_: Attempt, nth: number) => {
    if (nth <= times) throw refusal('full');
  };

  test('goes to another node, whatever it does', async () => {
    await using it = await shop(2, refusing(1));
    await it.api.buy({});
    assert.equal(new Set(addresses(it.attempts)).size, 2);
  });

  test('says so when no node takes it, in `maybeExecuted` alone', async () => {
    await using it = await shop(2, refusing(9));
    await assert.rejects(it.api.buy({}), (error: RpcError) => {
      assert.equal(error.maybeExecuted, false);
      assert.ok(!error.metadata?.has('lictor-not-executed'));
      return true;
    });
  });
});

describe('a stream of replies', LIMIT, () => {
  const all = async (replies: AsyncIterable<unknown>) => {
    let count = 0;
    for await (const _ of replies) count++;
    return count;
  };

  test('that fails before its first reply goes to another node', async () => {
    await using it = await shop(3, failing(2));
    assert.equal(await all(it.api.list({})), 2);
    assert.equal(new Set(addresses(it.attempts)).size, 3);
    assert.deepEqual(previous(it.attempts), [undefined, '1', '2']);
  });

  test('that fails after its header does not', async () => {
    await using it = await shop(3, async ({ context }) => {
      context.sendHeader();
      await new Promise(setImmediate);
      throw unavailable();
    });
    await assert.rejects(all(it.api.list({})), { code: Status.UNAVAILABLE });
    assert.equal(it.attempts.length, 1);
  });
});

describe('an attempt that takes too long', LIMIT, () => {
  const stuckFirst = (_: Attempt, nth: number) => (nth === 1 ? new Promise<never>(() => {}) : undefined);

  test('is given up for one at another node', async () => {
    await using it = await shop(2, stuckFirst, { retry: { ...SOON, perTryTimeoutMs: 30 } });
    await it.api.look({});
    assert.equal(new Set(addresses(it.attempts)).size, 2);
    assert.ok(it.attempts[0]!.context.signal.aborted);
  });

  test('is joined by one at another node, and cancelled when that is answered', async () => {
    const retry = { hedgeAfterMs: 20 };
    await using it = await shop(2, stuckFirst, { retry });
    let told = 0;
    await it.api.look({}, { onTrailer: () => told++ });
    assert.equal(told, 1);
    assert.equal(new Set(addresses(it.attempts)).size, 2);
    assert.deepEqual(previous(it.attempts), [undefined, '1']);
    while (!it.attempts[0]!.context.signal.aborted) await new Promise(setImmediate);
  });

  test('is not joined when its method is not idempotent', async () => {
    await using it = await shop(2, stuckFirst, { retry: { hedgeAfterMs: 5 } });
    await assert.rejects(it.api.buy({}, { timeoutMs: 60 }), { code: Status.DEADLINE_EXCEEDED });
    assert.equal(it.attempts.length, 1);
  });
});

describe('hedging', LIMIT, () => {
  const retry = { hedgeAfterMs: 10 };

  test('sends the next attempt at once when one fails, and gives up after all', async () => {
    await using it = await shop(3, failing(9), { retry: { hedgeAfterMs: 60_000 } });
    await assert.rejects(it.api.look({}), { details: 'not now (the last of 3 attempts)' });
    assert.equal(it.attempts.length, 3);
  });

  test('ends with an error that another attempt would not change', async () => {
    await using it = await shop(
      3,
      (_, nth) => {
        if (nth === 1) return new Promise<never>(() => {});
        throw new RpcError(Status.NOT_FOUND, 'no');
      },
      { retry },
    );
    await assert.rejects(it.api.look({}), { code: Status.NOT_FOUND });
  });

  test('ends with the caller', async () => {
    const stop = new AbortController();
    await using it = await shop(3, () => new Promise<never>(() => {}), { retry });
    const failed = assert.rejects(it.api.look({}, { signal: stop.signal }), { code: Status.CANCELLED });
    while (it.attempts.length < 3) await new Promise((resolve) => setTimeout(resolve, 1));
    stop.abort();
    await failed;
    while (!it.attempts.every(({ context }) => context.signal.aborted)) await new Promise(setImmediate);
  });

  test('ends at the deadline of the call', async () => {
    await using it = await shop(3, () => new Promise<never>(() => {}), { retry });
    await assert.rejects(it.api.look({}, { timeoutMs: 80 }), { code: Status.DEADLINE_EXCEEDED });
  });
});

describe('the budget', LIMIT, () => {
  test('F49: when all fails, the calls sent again are a tenth, and ten per second', async () => {
    await using it = await shop(2, failing(Infinity), { retry: { ...SOON, budget: { perSecond: 1 } } });
    for (let i = 0; i < 300; i++) await it.api.look({}).catch(() => {});
    // 300 calls, a tenth of them, and 1 per second over the ten seconds of the window (twice, if the test takes long).
    assert.ok(it.attempts.length >= 335 && it.attempts.length <= 355, `${it.attempts.length} attempts`);
  });
});

describe('a call made in a handler', LIMIT, () => {
  test('F51: has what remains of the deadline, and is cancelled with the call around it', async () => {
    const inner: CallContext[] = [];
    await using b = await shop(1, ({ context }) => {
      inner.push(context);
      return new Promise<never>(() => {});
    });
    await using a = await shop(1, () => b.api.buy({}, { timeoutMs: 60_000 }));
    const stop = new AbortController();
    const failed = assert.rejects(a.api.buy({}, { timeoutMs: 30_000, signal: stop.signal }));
    while (inner.length === 0) await new Promise(setImmediate);
    assert.ok(inner[0]!.remainingMs <= 30_000);
    stop.abort();
    await failed;
    while (!inner[0]!.signal.aborted) await new Promise(setImmediate);
  });

  test('has a deadline of its own when that is sooner', async () => {
    await using b = await shop(1, ({ context }) => {
      assert.ok(context.remainingMs <= 1_000);
    });
    await using a = await shop(1, () => b.api.buy({}, { timeoutMs: 1_000 }));
    await a.api.buy({}, { timeoutMs: 30_000 });
  });

  test('in a handler of a stream likewise', async () => {
    let remaining = Infinity;
    await using b = await shop(1, ({ context }) => {
      remaining = context.remainingMs;
    });
    await using a = await shop(1, () => b.api.buy({}, { timeoutMs: 60_000 }));
    for await (const _ of a.api.list({}, { timeoutMs: 30_000 }));
    assert.ok(remaining <= 30_000, `${remaining}`);
  });

  test('has the deadline that an interceptor has set', async () => {
    let remaining = Infinity;
    await using b = await shop(1, ({ context }) => {
      remaining = context.remainingMs;
    });
    const sooner: Interceptor = (call, next) => next({ ...call, deadline: performance.now() + 500 });
    await using a = await shop(1, () => b.api.buy({}, { timeoutMs: 60_000 }), {}, { interceptors: [sooner] });
    await a.api.buy({}, { timeoutMs: 30_000 });
    assert.ok(remaining <= 500, `${remaining}`);
  });

  test('is on its own when it is detached', async () => {
    let remaining = 0;
    await using b = await shop(1, ({ context }) => {
      remaining = context.remainingMs;
    });
    await using a = await shop(1, () => detached(() => b.api.buy({}, { timeoutMs: 60_000 })));
    await a.api.buy({}, { timeoutMs: 1_000 });
    assert.ok(remaining > 50_000, `${remaining}`);
  });
});

test(
  'B9: a node at whose address another service has begun to listen is out after five calls',
  LIMIT,
  async () => {
    const transport = memory();
    const Other = defineService('other.Other', { look: unary<object, object>() });
    const mine = new Server({ address: 'mine:1', transport });
    mine.registerService(Shop, {
      look: () => ({ at: 'mine' }),
      buy: () => ({ at: 'mine' }),
      async *list() {},
    });
    const other = new Server({ address: 'other:1', transport });
    other.registerService(Other, { look: () => ({}) });
    await Promise.all([mine.serve(), other.serve()]);
    const sentTo: string[] = [];
    const counting: Engine = {
      ...transport,
      connect(options) {
        const connection = transport.connect(options);
        return {
          unary(call) {
            sentTo.push(options.address);
            return connection.unary(call);
          },
          stream: (call, requests) => connection.stream(call, requests),
          close: (graceMs) => connection.close(graceMs),
        };
      },
    };
    const resolver = fixed(['mine:1', 'other:1']);
    const client = new Client({ resolver, transport: counting, balancer: 'roundRobin' });
    // They have not run there, so that none of them fails.
    for (let i = 0; i < 200; i++) await client.service(Shop).buy({});
    assert.equal(sentTo.filter((address) => address === 'other:1').length, 5);
    const { nodes } = client.explain('shop.Shop');
    assert.deepEqual(
      nodes.map(({ eligible }) => eligible),
      [true, false],
    );
    await client.close();
    await Promise.all([mine.closeNow(), other.closeNow()]);
  },
);

describe('filters', LIMIT, () => {
  test('choose the nodes of one call, and none that fits is an error that says so', async () => {
    const nodes = [
      { address: 'node-1:1', meta: { version: '1' } },
      { address: 'node-2:1', meta: { version: '2' }, tags: ['canary'] },
    ];
    await using it = await shop(2, () => {}, { resolver: fixed(nodes) });
    for (let i = 0; i < 6; i++) {
      assert.deepEqual(await it.api.buy({}, { nodes: { meta: { version: '2' } } }), { at: 'node-2:1' });
      assert.deepEqual(await it.api.buy({}, { nodes: { tags: ['canary'] } }), { at: 'node-2:1' });
    }
    await assert.rejects(it.api.buy({}, { nodes: { zone: 'z' } }), {
      code: Status.UNAVAILABLE,
      details: 'none of the 2 nodes of shop.Shop has zone z',
      maybeExecuted: false,
    });
    const explained = it.client.explain('shop.Shop', { nodes: { tags: ['canary'] } });
    assert.deepEqual(
      explained.nodes.map(({ eligible, reason }) => [eligible, reason]),
      [
        [false, 'it is not of those that the call wants: tag canary'],
        [true, 'it is well'],
      ],
    );
  });
});

test('F52: a call has ten seconds unless it says otherwise, and a minute at the server with Infinity', async () => {
  const left: number[] = [];
  await using it = await shop(1, ({ context }) => void left.push(context.remainingMs));
  await it.api.look({});
  await it.api.look({}, { timeoutMs: 500 });
  await it.api.look({}, { timeoutMs: Number.POSITIVE_INFINITY });
  for (const [i, most] of [10_000, 500, 60_000].entries())
    assert.ok(left[i]! <= most && left[i]! > 0.8 * most, `${left[i]} of ${most}`);
});

test('metadata of retries may be set and read like others', () => {
  const metadata = new Metadata().set('grpc-retry-pushback-ms', '5');
  assert.equal(metadata.get('grpc-retry-pushback-ms'), '5');
});

test('what is wrong in the options of retries is named', () => {
  for (const [retry, message] of [
    [{ attempts: 6 }, 'retry.attempts: a whole number from 1 to 5, got 6'],
    [{ statuses: ['OK'] }, "retry.statuses: names of errors such as 'UNAVAILABLE', got OK"],
    [{ tries: 1 }, /^retry\.tries: unknown, there are attempts, /],
    [{ budget: { share: -1 } }, 'retry.budget.share: a number from 0, got -1'],
  ] as const) {
    assert.throws(() => new Client({ retry: retry as never }), { name: 'RangeError', message });
  }
  assert.throws(() => new Client({ retry: true as never }), {
    name: 'TypeError',
    message: 'retry: options or false, got true',
  });
});
