import { isDeepStrictEqual } from 'node:util';
import { compressionNamed } from '../codec/compression.js';
import {
  fromGrpcDefinition,
  type GrpcDefinition,
  isGrpcDefinition,
  type MethodsFrom,
} from '../codec/grpc-definition.js';
import { serializationNamed } from '../codec/named.js';
import type { Serialization } from '../codec/serialization.js';
import type { TracingPlugin } from '../plugin/plugin.js';
import { parseAddress } from '../rpc/address.js';
import type { CallOptions } from '../rpc/call.js';
import type { CompressionName } from '../rpc/compression.js';
import { RpcError } from '../rpc/error.js';
import type { Interceptor } from '../rpc/interceptor.js';
import { checkLimit, MAX_TIMER_MS } from '../rpc/limit.js';
import { type Logger, stderrLogger } from '../rpc/log.js';
import { defineService, type Methods, type Service, unary } from '../rpc/service.js';
import type { ServiceClient } from '../rpc/signature.js';
import { Status } from '../rpc/status.js';
import { hasSide } from '../rpc/surrounding-call.js';
import { balancerNamed } from '../selector/balancer/named.js';
import type { Explanation } from '../selector/explanation.js';
import { type EmptyListPolicy, emptyListPolicies } from '../selector/list-guard.js';
import type { Resolver } from '../selector/resolver.js';
import { Selector } from '../selector/selector.js';
import type { WatchState } from '../selector/shared-watch.js';
import { type EngineName, engineNamed } from '../transport/named.js';
import { followed, LiveTls } from '../transport/tls/live.js';
import { type ClientTls, checkTls, type TlsRenewal } from '../transport/tls.js';
import type { Engine } from '../transport/transport.js';
import { wireMethod } from '../transport/wire-method.js';
import type { BoundMethod } from './bound-method.js';
import { Connections } from './connections.js';
import { Invoker } from './invoke.js';
import { Retries } from './retry.js';
import { Routing } from './routing.js';
import {
  type AllSettings,
  type ClientSettings,
  checkOnlySettings,
  checkSettings,
  decodedBytes,
  defaultSettings,
  pickRules,
  settingsOver,
} from './settings.js';

export type ClientOptions = ClientSettings & {
  /** Where nodes come from: `consul(...)`, `local()`, `fixed([...])`. */
  resolver?: Resolver | undefined;
  /** One address to call, without a resolver; a call's own `target` overrides it. */
  target?: string | undefined;
  /** @default 'h2' */
  transport?: EngineName | Engine | undefined;
  tls?: ClientTls | undefined;
  /** Stand around every call; the first is the outermost. */
  interceptors?: readonly Interceptor[] | undefined;
  /** Tracing, outside of the interceptors. */
  plugins?: readonly TracingPlugin[] | undefined;
  /** Compression of requests; a call may say otherwise. @default 'identity' */
  compression?: CompressionName | undefined;
  /** How long calls in flight may still take when the client closes, or their node has left. @default 10,000 */
  graceMs?: number | undefined;
  /**
   * What to do when the registry's list is empty, or has lost more than half of its nodes within ten seconds, which
   * mostly is the registry's loss and not the servers'. New nodes, single losses and drained nodes count at once.
   * @default 'grace'
   */
  emptyListPolicy?: EmptyListPolicy | undefined;
  /** How long connected nodes that were lost so are still used, with the policy 'grace'. @default 60,000 */
  emptyListGraceMs?: number | undefined;
  /** @default one line of JSON per event on stderr */
  logger?: Logger | undefined;
};

export type ServiceOptions = {
  /** What messages travel as, by name or as a value. @default the service's own */
  serialization?: string | Serialization | undefined;
};

const MAX_PATHS = 1_000;

/** Calls services. Opens nothing before the first call; one client is made for many. */
export class Client implements AsyncDisposable {
  readonly #selector: Selector | undefined;
  readonly #connections: Connections;
  readonly #engine: Engine;
  readonly #tls: LiveTls | undefined;
  readonly #routing: Routing;
  readonly #invoker: Invoker;
  readonly #byPath = new Map<string, BoundMethod>();
  /** What the client was made with. */
  readonly #made: AllSettings;
  #settings: AllSettings;
  /** Of the replies; every method reads it. */
  readonly #decodedLimit: { bytes: number; readonly side: 'client' };
  #closing: Promise<void> | undefined;

  constructor(options: ClientOptions = {}) {
    hasSide('client');
    const engine = engineNamed(options.transport ?? 'h2');
    this.#engine = engine;
    const logger = options.logger ?? stderrLogger;
    if (options.target !== undefined) parseAddress(options.target);
    checkLimit('graceMs', options.graceMs, 0);
    checkLimit('emptyListGraceMs', options.emptyListGraceMs, 0);
    compressionNamed(options.compression ?? 'identity');
    checkParts(options);
    const emptyListPolicy = checkPolicy(options.emptyListPolicy);
    this.#made = this.#settings = settingsOver(defaultSettings, options);
    checkSettings(this.#made);
    this.#decodedLimit = { bytes: decodedBytes(this.#made), side: 'client' };
    const { timeoutMs, maxMessageBytes, retry } = this.#made;
    const { resolver, tls } = options;
    checkTls(tls, 'client');
    if (tls && engine.hasTls !== false) {
      const onRenewed = () => this.#connections.connectNow();
      this.#tls = new LiveTls(tls, { side: 'client', logger, onRenewed });
    }
    this.#selector =
      resolver &&
      new Selector({
        resolver,
        balancer: balancerNamed(this.#made.balancer),
        rules: pickRules(this.#made),
        logger,
        emptyListPolicy,
        emptyListGraceMs: options.emptyListGraceMs ?? 60_000,
        isOpen: (address) => this.#connections.has(address),
        onGone: (address) => this.#connections.drop(address),
      });
    this.#connections = new Connections(
      engine,
      {
        tls: this.#tls && followed(this.#tls),
        maxMessageBytes,
        compression: options.compression ?? 'identity',
      },
      Math.min(options.graceMs ?? 10_000, MAX_TIMER_MS),
      (address, reachable) => this.#selector?.setReachable(address, reachable),
    );
    this.#routing = new Routing(this.#connections, this.#selector, options.target);
    const plugins = options.plugins ?? [];
    for (const plugin of plugins) plugin.init({ logger });
    this.#invoker = new Invoker({
      routing: this.#routing,
      retries: retry === false ? undefined : new Retries(retry),
      interceptors: [...plugins.map((plugin) => plugin.interceptor), ...(options.interceptors ?? [])],
      timeoutMs,
    });
  }

  /**
   * A service's methods, to be called: `await client.service(Greeter).sayHello({ msg: 'hi' })`.
   * Unary calls and client streams give a promise, the other kinds an AsyncIterable that sends when it is iterated.
   * @param definition a generated service, one of `defineService` or `loadProto`, or a grpc-js ServiceDefinition
   */
  service<M extends Methods>(definition: Service<M>, options?: ServiceOptions): ServiceClient<M>;
  service<D extends GrpcDefinition>(definition: D, options?: ServiceOptions): ServiceClient<MethodsFrom<D>>;
  service(definition: Service | GrpcDefinition, options: ServiceOptions = {}): unknown {
    const service = isGrpcDefinition(definition) ? fromGrpcDefinition(definition) : definition;
    const serialization = serializationNamed(options.serialization ?? service.serialization);
    const methods: Record<string, unknown> = {};
    for (const [key, method] of Object.entries(service.methods)) {
      const bound: BoundMethod = {
        service: service.name,
        wire: wireMethod(method, serialization, this.#decodedLimit),
        selector: undefined,
      };
      this.#byPath.set(method.path, bound);
      methods[key] = (request: unknown, callOptions?: CallOptions) =>
        this.#invoker.invoke(bound, request, callOptions);
    }
    return methods;
  }

  /**
   * Calls a unary method by its path, untyped. A method that `service()` has named travels as it does there; any
   * other as JSON, which Lictor's servers take for every service.
   */
  async call(path: string, request: unknown, options?: CallOptions): Promise<unknown> {
    const bound = this.#byPath.get(path) ?? this.#bindPath(path);
    if (bound.wire.method.kind === 'unary') return this.#invoker.invoke(bound, request, options);
    throw new RpcError(Status.INVALID_ARGUMENT, `${path} is a stream; call it through service()`, {
      maybeExecuted: false,
    });
  }

  /**
   * What the client knows of where a service is: `pending` before its first call.
   * @param service the full name: `helloworld.Greeter`
   * @throws RpcError FAILED_PRECONDITION for a client without a resolver
   */
  watchState(service: string): WatchState {
    if (this.#selector) return this.#selector.state(service);
    throw noResolver('there is no watch');
  }

  /**
   * Why each node of a service takes calls like this one, or does not: whom it may go to, who is ejected, drained, full.
   * @param service the full name: `helloworld.Greeter`; without a call before, no node is known
   * @throws RpcError FAILED_PRECONDITION for a client without a resolver
   */
  explain(service: string, call: Pick<CallOptions, 'hashKey' | 'nodes'> = {}): Explanation {
    if (this.#selector) return this.#selector.explain(service, call);
    throw noResolver('there are no nodes to explain');
  }

  /**
   * Changes settings while the client runs; the next call has them. They are a whole: what is left out is as the client
   * was made. Another `maxMessageBytes` opens new connections, and calls in flight on the old ones have `graceMs`.
   * @throws RangeError or TypeError for a setting that is refused or unknown; nothing has changed then
   */
  configure(settings: ClientSettings): void {
    checkOnlySettings(settings);
    const before = this.#settings;
    const next = settingsOver(this.#made, settings);
    this.#settings = next;
    this.#invoker.timeoutMs = next.timeoutMs;
    this.#connections.maxMessageBytes = next.maxMessageBytes;
    this.#decodedLimit.bytes = decodedBytes(next);
    // What does not change keeps its state: the budget of retries, the position of a balancer.
    if (!isDeepStrictEqual(next.retry, before.retry))
      this.#invoker.retries = next.retry === false ? undefined : new Retries(next.retry);
    this.#selector?.setRules(pickRules(next));
    if (next.balancer !== before.balancer) this.#selector?.setBalancer(balancerNamed(next.balancer));
  }

  /**
   * Gives new connections other certificates; open ones keep theirs, and what is left out stays as it is. Without an
   * argument `certFile`, `keyFile` and `caFile` are read again at once.
   * @throws RpcError or TypeError that names what is wrong, or when the client is closed; then nothing changes
   */
  async reloadTls(renewal?: TlsRenewal): Promise<void> {
    if (this.#tls) return this.#tls.reload(renewal);
    const { name, hasTls } = this.#engine;
    const why = hasTls === false ? `the transport ${name} has no TLS` : 'the client was made without tls';
    throw new RpcError(Status.FAILED_PRECONDITION, `reloadTls: ${why}`, { maybeExecuted: false });
  }

  /** Ends the watches, gives calls in flight `graceMs`, then closes the connections. Harmless twice. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#tls?.close();
    this.#routing.close();
    this.#selector?.close();
    await this.#connections.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #bindPath(path: string): BoundMethod {
    const [, service, name, ...rest] = path.split('/');
    if (!path.startsWith('/') || !service || !name || rest.length > 0) {
      throw new RpcError(
        Status.INVALID_ARGUMENT,
        `path ${JSON.stringify(path.slice(0, 256))}: wanted /package.Service/Method`,
        {
          maybeExecuted: false,
        },
      );
    }
    const { methods } = defineService(service, { method: unary<unknown, unknown>({ name }) });
    const bound: BoundMethod = {
      service,
      wire: wireMethod(methods.method, serializationNamed('json'), this.#decodedLimit),
      selector: undefined,
    };
    // Paths may come from outside; what one process calls by path is few.
    if (this.#byPath.size < MAX_PATHS) this.#byPath.set(path, bound);
    return bound;
  }
}

const noResolver = (then: string): RpcError =>
  new RpcError(Status.FAILED_PRECONDITION, `the client has no resolver, so ${then}`, {
    maybeExecuted: false,
  });

function checkPolicy(policy: EmptyListPolicy = 'grace'): EmptyListPolicy {
  if (emptyListPolicies.includes(policy)) return policy;
  const known = emptyListPolicies.join(', ');
  throw new TypeError(`emptyListPolicy: one of ${known}, got ${JSON.stringify(policy)}`);
}

/** What the compiler refuses, and a program without types would learn only from its first call. */
function checkParts({ resolver, plugins }: ClientOptions): void {
  if (resolver !== undefined && typeof resolver?.watch !== 'function') {
    throw new TypeError('resolver: a resolver is wanted, such as consul(...), local() or fixed([...])');
  }
  for (const plugin of plugins ?? []) {
    if (plugin?.kind !== 'tracing')
      throw new TypeError('plugins: a client takes tracing plugins; a registry is its resolver');
  }
}
