import { Client, defineService, loadProto, silentLogger as logger, RpcError, Server, unary } from 'lictor';
import { consul } from 'lictor/plugin/consul';
import { ConsulConfig } from 'lictor/plugin/consul/config';
import { fixed } from 'lictor/plugin/fixed';
import { local } from 'lictor/plugin/local';
import { opentracing } from 'lictor/plugin/opentracing';
import { Tracer } from 'opentracing';

// A program that uses what loads other packages; bundles are made of it. argv is the folder of its .proto files.

type Echo = (message: { msg: string }) => Promise<{ msg: string }>;
const handlers = { echo: ({ msg }: { msg: string }) => ({ msg }) };
const proto = loadProto(`${process.argv[2]}/echo.proto`);
const services = {
  protobuf: proto.service('bundle.Echo'),
  ...Object.fromEntries(
    ['json', 'msgpack'].map((serialization) => [
      serialization,
      defineService(`bundle.${serialization}`, { echo: unary() }, { serialization }),
    ]),
  ),
};

async function call(): Promise<void> {
  for (const transport of ['h2', 'grpc-js'] as const) {
    for (const [name, service] of Object.entries(services)) {
      const server = new Server({
        address: '127.0.0.1:0',
        transport,
        logger,
        plugins: [local({ folder: 'nodes' })],
      });
      server.registerService(service as never, handlers as never);
      await server.serve();
      const client = new Client({ transport, logger, target: server.address, compression: 'gzip' });
      const { echo } = client.service(service as never) as unknown as { echo: Echo };
      const { msg } = await echo({ msg: 'hello'.repeat(1_000) });
      if (msg !== 'hello'.repeat(1_000)) throw new Error(`${transport} ${name}: got ${msg}`);
      await client.close();
      await server.closeNow();
      console.log(`called over ${transport} as ${name}`);
    }
  }

  // Nobody is there, which npm `consul` says.
  const client = new Client({ resolver: consul({ address: '127.0.0.1:1' }), timeoutMs: 10_000, logger });
  const error: unknown = await (client.service(services.protobuf as never) as unknown as { echo: Echo })
    .echo({ msg: '' })
    .catch((cause: unknown) => cause);
  if (!(error instanceof RpcError) || !/ECONNREFUSED/.test(String(error.message))) throw error;
  await client.close();
  console.log('asked Consul');
}

try {
  fixed(['no address']);
} catch (cause) {
  if (cause instanceof RpcError) console.log('one RpcError');
}
if (typeof ConsulConfig !== 'function') throw new Error('no ConsulConfig');
opentracing({ tracer: new Tracer() });
// A bundle in CommonJS cannot wait at its top.
void call().then(() => console.log('global require:', 'require' in globalThis));
