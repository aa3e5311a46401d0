import {
  Client,
  type ClientOptions,
  type Implementation,
  type Methods,
  memory,
  Server,
  type ServerOptions,
  type Service,
  type ServiceClient,
} from 'lictor';
import { recordingLogger } from './plugin/log.js';

export type Pair<M extends Methods> = AsyncDisposable & {
  readonly server: Server;
  readonly client: Client;
  readonly api: ServiceClient<M>;
  /** What the server logged. */
  readonly log: ReturnType<typeof recordingLogger>['lines'];
};

/** A server of one service and a client of it, on a memory network of their own unless said otherwise. */
export async function pair<M extends Methods>(
  service: Service<M>,
  implementation: Implementation<M>,
  options: { server?: ServerOptions; client?: ClientOptions; transport?: ServerOptions['transport'] } = {},
): Promise<Pair<M>> {
  const transport = options.transport ?? memory();
  const logger = recordingLogger();
  const server = new Server({ transport, logger, graceMs: 0, ...options.server });
  server.registerService(service, implementation);
  await server.serve();
  const client = new Client({
    transport,
    logger,
    graceMs: 0,
    target: server.address,
    ...options.client,
  });
  return {
    server,
    client,
    api: client.service(service),
    log: logger.lines,
    async [Symbol.asyncDispose]() {
      await client.close();
      await server.closeNow();
    },
  };
}
