import type { DynamicMethod, Interceptor, Service } from 'lictor';
import type { Build } from '../../build.js';
import { handlers, PROTO, SERVICE } from '../service.js';
import { type Caller, type Payload, type Stack, type Text, TIMEOUT_MS } from '../stack.js';

type Bench = Service<Record<keyof typeof handlers, DynamicMethod>>;

export const passOn: Interceptor = (call, next) => next(call);

/** A client that picks from a list watched in Consul, or with one fixed target. */
export function lictor(
  { Client, Server, loadProto, consul }: Build,
  variant: { transport: 'h2' | 'grpc-js'; fixed?: boolean; interceptors?: readonly Interceptor[] },
): Stack {
  const { transport, fixed = false, interceptors = [] } = variant;
  const service = () => loadProto(PROTO).service(SERVICE) as unknown as Bench;
  // Servers of other variants are in the same registry, and must not get these calls.
  const prefixOf = (group: string) => `${group}-${transport}-${interceptors.length}/`;
  return {
    async serve({ registry, group, tls }) {
      const server = new Server({
        transport,
        interceptors,
        maxConnectionsPerAddress: 10_000, // One machine is all clients here.
        ...(tls ? { tls } : {}),
        ...(fixed ? {} : { plugins: [consul({ address: registry, prefix: prefixOf(group) })] }),
      });
      server.registerService(service(), handlers as never);
      await server.serve();
      return server.address;
    },
    async open(address, { registry, group, tls }) {
      const client = new Client({
        transport,
        interceptors,
        timeoutMs: TIMEOUT_MS,
        ...(tls ? { tls: { ca: tls.cert } } : {}),
        ...(fixed
          ? { target: address }
          : { resolver: consul({ address: registry, prefix: prefixOf(group) }) }),
      });
      const { say, carry, count, chat } = client.service(service());
      return {
        say: (text: string) => say({ text }),
        carry: ({ data }: Payload) => carry({ data }),
        count: (messages: number) => count({ messages }),
        chat: (requests: AsyncIterable<Text>) => chat(requests),
      } as unknown as Caller;
    },
  };
}
