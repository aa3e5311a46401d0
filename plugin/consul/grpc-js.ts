import { experimental, Metadata, status } from '@grpc/grpc-js';
import { parseAddress } from '../../rpc/address.js';
import { checkLimit } from '../../rpc/limit.js';
import { stderrLogger } from '../../rpc/log.js';
import { type EmptyListPolicy, emptyListPolicies } from '../../selector/list-guard.js';
import type { Node } from '../../selector/node.js';
import { SharedWatch } from '../../selector/shared-watch.js';
import { type ConsulOptions, consul } from './consul.js';
import { type ConsulTarget, parseTarget } from './grpc-target.js';

export type ConsulResolverOptions = ConsulOptions & {
  /** What to do when most nodes are gone from the list at once; see the option of Lictor's `Client`. @default 'grace' */
  emptyListPolicy?: EmptyListPolicy | undefined;
  /** @default 60,000 */
  emptyListGraceMs?: number | undefined;
};

type Listener = experimental.ResolverListener;
type Uri = experimental.GrpcUri;

/**
 * Makes `consul:///helloworld.Greeter` a target for every client of `@grpc/grpc-js` in this process, nice-grpc's and
 * NestJS's among them; `consul://127.0.0.1:8500/helloworld.Greeter?tag=a&dc=eu` names the agent, tags that a node must
 * have, and the datacenter. Calls go to all nodes in turn, unless the client has a service config of its own.
 *
 * A later call replaces the options for channels that are made after it.
 * @param options those of `consul()`; what the target says goes before them
 */
export function registerConsulResolver(options: ConsulResolverOptions = {}): void {
  const { emptyListPolicy = 'grace', emptyListGraceMs = 60_000, ...own } = options;
  // Bad options are told here, and not by the first call.
  consul(own);
  checkLimit('emptyListGraceMs', emptyListGraceMs, 0);
  if (!emptyListPolicies.includes(emptyListPolicy))
    throw new TypeError(
      `emptyListPolicy: one of ${emptyListPolicies.join(', ')}, got ${JSON.stringify(emptyListPolicy)}`,
    );
  experimental.registerResolver(
    'consul',
    class {
      readonly #target: ConsulTarget;
      readonly #listener: Listener;
      readonly #ownConfig: boolean;
      #watch: SharedWatch | undefined;

      constructor(uri: Uri, listener: Listener, channel: Readonly<Record<string, unknown>>) {
        this.#target = parseTarget(uri);
        this.#listener = listener;
        this.#ownConfig = channel['grpc.service_config'] !== undefined;
      }

      /** gRPC calls it also when connections are lost; the watch knows what there is to know. */
      updateResolution(): void {
        if (this.#watch) return;
        const { service, address, datacenter, tags, passing } = this.#target;
        const said = {
          ...(address === undefined ? {} : { address }),
          ...(datacenter === undefined ? {} : { datacenter }),
        };
        const resolver = consul(
          passing && own.mode === 'catalog' ? { ...own, ...said, passing } : { ...own, ...said },
        );
        const watch = new SharedWatch(service, {
          resolver,
          logger: options.logger ?? stderrLogger,
          emptyListPolicy,
          emptyListGraceMs,
          link: () => 'up', // gRPC itself makes no calls to nodes that it cannot reach.
          onNodes: (nodes) => {
            const usable = endpoints(nodes, tags);
            this.#tell(experimental.statusOrFromValue(usable));
            // grpc-js drops its connections for an empty list, but then lets calls wait; for an error it fails them.
            if (usable.length === 0) this.#fail(noNode(service, tags, resolver.describe(service)));
          },
        });
        this.#watch = watch;
        void watch.settled(Number.POSITIVE_INFINITY, undefined).then(() => {
          if (this.#watch !== watch || watch.state.kind !== 'failed') return;
          this.#fail(watch.unavailable().details);
        });
      }

      destroy(): void {
        this.#watch?.close();
        this.#watch = undefined;
      }

      #tell(found: Parameters<Listener>[0]): void {
        const inTurn = { loadBalancingConfig: [{ round_robin: {} }], methodConfig: [] };
        this.#listener(found, {}, this.#ownConfig ? null : experimental.statusOrFromValue(inTurn), '');
      }

      #fail(details: string): void {
        const error = { code: status.UNAVAILABLE, details, metadata: new Metadata() };
        this.#tell(experimental.statusOrFromError(error));
      }

      static getDefaultAuthority(uri: Uri): string {
        return parseTarget(uri).service;
      }
    },
  );
}

/** Drained nodes are left out, unless all are: gRPC knows no weights. */
function endpoints(nodes: readonly Node[], tags: readonly string[]): experimental.Endpoint[] {
  const fitting = nodes.filter((node) => tags.every((tag) => node.tags.includes(tag)));
  const open = fitting.filter(({ weight }) => weight > 0);
  return (open.length > 0 ? open : fitting).flatMap(({ address }) => {
    const parsed = parseAddress(address);
    return parsed.kind === 'tcp' ? [{ addresses: [{ host: parsed.host, port: parsed.port }] }] : [];
  });
}

const noNode = (service: string, tags: readonly string[], where: string) =>
  `no node of ${service}${tags.length > 0 ? ` with the tags ${tags.join(', ')}` : ''} is listed (${where})`;
