import {
  Client,
  type ClientOptions,
  defineService,
  type Engine,
  memory,
  Server,
  serverStream,
  unary,
} from 'lictor';
import { recordingLogger } from '../plugin/log.js';
import { type ScriptedResolver, scriptedResolver } from '../scripted-resolver.js';

type Who = { address: string };
export const Fleet = defineService('fleet.Fleet', {
  who: unary<object, Who>(),
  hold: unary<object, Who>(),
  hang: unary<object, Who>(),
  fail: unary<object, Who>(),
  stream: serverStream<object, Who>(),
});

/** Servers in memory, a client, and a resolver between them that the test drives. */
export interface TestFleet extends AsyncDisposable {
  readonly client: Client;
  readonly api: ReturnType<typeof apiOf>;
  readonly resolver: ScriptedResolver;
  /** Addresses in the order in which the client connected to them; the same with closed connections. */
  readonly connects: string[];
  readonly closes: string[];
  readonly log: ReturnType<typeof recordingLogger>['lines'];
  /** Calls that have come to a server, by `address method`. */
  readonly calls: string[];
  /** Lets the calls of `hold` and the streams go on. */
  release(): void;
  start(address: string): Promise<void>;
  /** Cuts calls off. */
  stop(address: string): Promise<void>;
}

const apiOf = (client: Client) => client.service(Fleet);

export async function fleet(
  addresses: readonly string[],
  options: ClientOptions = {},
  wrap: (engine: Engine) => Engine = (engine) => engine,
): Promise<TestFleet> {
  const engine = memory();
  const connects: string[] = [];
  const closes: string[] = [];
  const calls: string[] = [];
  const servers = new Map<string, Server>();
  const logger = recordingLogger();
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const counting: Engine = {
    ...engine,
    connect(connectOptions) {
      connects.push(connectOptions.address);
      const connection = engine.connect(connectOptions);
      return {
        unary: (call) => connection.unary(call),
        stream: (call, requests) => connection.stream(call, requests),
        async close(graceMs) {
          await connection.close(graceMs);
          closes.push(connectOptions.address);
        },
      };
    },
  };
  const resolver = scriptedResolver();
  const client = new Client({
    resolver,
    transport: wrap(counting),
    logger,
    graceMs: 60_000,
    // So that a test knows who is next.
    balancer: 'roundRobin',
    timeoutMs: 60_000,
    ...options,
  });
  const start = async (address: string) => {
    const server = new Server({ address, transport: engine, logger, graceMs: 0 });
    const arrived = (method: string) => void calls.push(`${address} ${method}`);
    server.registerService(Fleet, {
      who: () => {
        arrived('who');
        return { address };
      },
      async hold() {
        arrived('hold');
        await released;
        return { address };
      },
      hang: () => {
        arrived('hang');
        return new Promise<never>(() => {});
      },
      fail: () => {
        arrived('fail');
        throw new TypeError('no');
      },
      async *stream() {
        arrived('stream');
        yield { address };
        await released;
        yield { address };
      },
    });
    await server.serve();
    servers.set(address, server);
  };
  const stop = async (address: string) => {
    await servers.get(address)!.closeNow();
    servers.delete(address);
  };
  for (const address of addresses) await start(address);
  return {
    client,
    api: apiOf(client),
    resolver,
    connects,
    closes,
    log: logger.lines,
    calls,
    release,
    start,
    stop,
    async [Symbol.asyncDispose]() {
      release();
      await Promise.all([...servers.keys()].map(stop));
      await client.close();
    },
  };
}
