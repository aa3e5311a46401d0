import {
  fromGrpcDefinition,
  type GrpcDefinition,
  isGrpcDefinition,
  type MethodsFrom,
} from '../codec/grpc-definition.js';
import type { Serialization } from '../codec/serialization.js';
import type { Registration } from '../plugin/plugin.js';
import { RpcError } from '../rpc/error.js';
import { MAX_TIMER_MS } from '../rpc/limit.js';
import { type Logger, stderrLogger } from '../rpc/log.js';
import type { Methods, Service } from '../rpc/service.js';
import type { Implementation } from '../rpc/signature.js';
import { Status } from '../rpc/status.js';
import { hasSide } from '../rpc/surrounding-call.js';
import { engineNamed } from '../transport/named.js';
import type { TlsRenewal } from '../transport/tls.js';
import type { Engine, Listener } from '../transport/transport.js';
import { advertised } from './advertise.js';
import { drain } from './drain.js';
import { Gate } from './gate.js';
import { Health } from './health.js';
import type { ServerLoad } from './load.js';
import {
  checkOptions,
  gateOptions,
  listenOptions,
  requestLimit,
  type ServeOptions,
  type ServerOptions,
  wantedAddress,
} from './options.js';
import { buildRoutes, checkImplementation, type Registered } from './router.js';
import { onSignals } from './signals.js';
import { ServedTls } from './tls.js';
import type { Fleet } from './workers/fleet.js';
import type { WorkerCount } from './workers/ports.js';

/** How long a worker may take to close beyond its drain and grace: a registry that does not answer takes 10 s of it. */
const WORKER_MARGIN_MS = 15_000;

const closed = () => new RpcError(Status.FAILED_PRECONDITION, 'the server is closed; make a new one');

/** Answers calls, and is listed in registries while it does. */
export class Server implements AsyncDisposable {
  #options: ServerOptions;
  readonly #logger: Logger;
  readonly #engine: Engine;
  readonly #gate: Gate;
  readonly #healthGate: Gate;
  readonly #health: Health;
  readonly #tls: ServedTls;
  readonly #registered = new Map<string, Registered>();
  readonly #registrations: Registration[] = [];
  #listener: Listener | undefined;
  #fleet: Fleet | undefined;
  #worker: number | undefined;
  #serving: Promise<this> | undefined;
  #closing: Promise<void> | undefined;
  #hurry!: () => void;
  #isHurried = false;
  readonly #hurried = new Promise<void>((resolve) => {
    this.#hurry = () => {
      this.#isHurried = true;
      resolve();
    };
  });
  #forgetSignals = () => {};

  /** Checks the options and opens nothing. */
  constructor(options: ServerOptions = {}) {
    hasSide('server');
    this.#options = options;
    this.#logger = options.logger ?? stderrLogger;
    this.#engine = engineNamed(options.transport ?? 'h2');
    checkOptions(options);
    this.#tls = new ServedTls(options.tls, this.#engine, this.#logger);
    const gate = gateOptions(options);
    this.#gate = new Gate(gate);
    // A server that has too much to do is well, and must not be taken for one that is not.
    this.#healthGate = new Gate({ ...gate, overload: undefined });
    this.#health = new Health();
  }

  /** The address listened on, with its port; an error before `serve()`, and where only workers listen. */
  get address(): string {
    if (this.#listener) return this.#listener.address;
    const why = this.#fleet
      ? 'the workers of this server have an address each: see `addresses`'
      : 'the server has no address before serve()';
    throw new RpcError(Status.FAILED_PRECONDITION, why);
  }

  /** The addresses listened on: those of all workers that serve just now, in the first process of `serve({ workers })`. */
  get addresses(): readonly string[] {
    return this.#fleet?.addresses() ?? (this.#listener ? [this.#listener.address] : []);
  }

  /** The number of this process among the workers, from 0; undefined in the first process, and without workers. */
  get worker(): number | undefined {
    return this.#worker;
  }

  /** What the server has to do now, and what it has refused since it was made. */
  get load(): ServerLoad {
    return this.#gate.load;
  }

  /**
   * Adds a service: a generated one, one of `defineService` or `loadProto`, or a grpc-js ServiceDefinition.
   * @param options.serializations custom ones that clients of this service may speak
   */
  registerService<M extends Methods>(
    service: Service<M>,
    implementation: Implementation<M>,
    options?: { serializations?: readonly Serialization[] },
  ): this;
  registerService<D extends GrpcDefinition>(
    definition: D,
    implementation: Implementation<MethodsFrom<D>>,
  ): this;
  registerService(
    definition: Service | GrpcDefinition,
    implementation: Readonly<Record<string, unknown>>,
    options: { serializations?: readonly Serialization[] } = {},
  ): this {
    if (this.#serving) throw new RpcError(Status.FAILED_PRECONDITION, 'registerService comes before serve()');
    const service = isGrpcDefinition(definition) ? fromGrpcDefinition(definition) : definition;
    if (this.#registered.has(service.name)) {
      throw new RpcError(Status.ALREADY_EXISTS, `the service ${service.name} is registered already`);
    }
    const registered: Registered = { service, implementation, serializations: options.serializations ?? [] };
    checkImplementation(registered);
    this.#registered.set(service.name, registered);
    return this;
  }

  /**
   * Listens, then starts the plugins: when it resolves, clients can find the server and call it. With `workers` other
   * processes of this program do so, and it resolves here when all of them have, in each when that one has.
   */
  serve({ workers }: ServeOptions = {}): Promise<this> {
    this.#serving ??= this.#closing ? Promise.reject(closed()) : this.#serve(workers);
    return this.#serving;
  }

  async #serve(workers: WorkerCount | undefined): Promise<this> {
    if (workers === undefined) await this.#serveHere();
    else await this.#serveIn(workers);
    return this;
  }

  async #serveIn(workers: WorkerCount): Promise<void> {
    const { roleIn } = await import('./workers/workers.js');
    this.#refuseWhenHurried();
    const { advertise, handleSignals = false } = this.#options;
    const { name: transport } = this.#engine;
    const logger = this.#logger;
    const role = roleIn(workers, {
      address: wantedAddress(this.#options),
      advertise,
      handleSignals,
      transport,
      logger,
    });
    if (role.kind === 'worker') {
      this.#worker = role.number;
      this.#options = { ...this.#options, ...role.listing, handleSignals: false };
      return role.serve(this, async () => {
        await this.#serveHere();
        return this.address;
      });
    }
    if (handleSignals) this.#forgetSignals = onSignals(this, logger);
    this.#fleet = role.start();
    try {
      await this.#fleet.started;
    } catch (error) {
      this.#hurry();
      await this.#leave({ drainMs: 0, graceMs: 0 });
      throw error;
    }
  }

  async #serveHere(): Promise<void> {
    this.#listener = await this.#engine.listen({
      ...listenOptions(this.#options),
      tls: this.#tls.load(),
      routes: this.#routes(),
      logger: this.#logger,
    });
    try {
      this.#refuseWhenHurried();
      this.#tls.serve(this.#listener);
      if (this.#options.handleSignals) this.#forgetSignals = onSignals(this, this.#logger);
      this.#health.serving([...this.#registered.keys()]);
      await this.initPlugins();
    } catch (error) {
      // What was opened is closed before the failure is told, so that the next server may have the address.
      await this.#leave({ drainMs: 0, graceMs: 0 });
      this.#listener = undefined;
      throw error;
    }
  }

  #routes() {
    const { service } = Health;
    const tracing = (this.#options.plugins ?? []).flatMap((plugin) =>
      plugin.kind === 'tracing' ? [plugin.interceptor] : [],
    );
    const interceptors = [...tracing, ...(this.#options.interceptors ?? [])];
    const limit = requestLimit(this.#options);
    const ours = { service, implementation: this.#health.implementation, serializations: [] };
    const health = this.#registered.get(service.name) ?? ours;
    const others = [...this.#registered.values()].filter((one) => one !== health);
    return new Map([
      ...buildRoutes(others, interceptors, this.#gate, limit, this.#logger),
      ...buildRoutes([health], interceptors, this.#healthGate, limit, this.#logger),
    ]);
  }

  /**
   * Starts the plugins: tracing ones give their tracer, resolver ones list this server's services. `serve()` does it;
   * it is for those who start the parts by hand, and only when the server listens.
   */
  async initPlugins(): Promise<void> {
    const plugins = this.#options.plugins ?? [];
    for (const plugin of plugins) if (plugin.kind === 'tracing') plugin.init({ logger: this.#logger });
    const resolvers = plugins.filter((plugin) => plugin.kind === 'resolver');
    if (resolvers.length === 0 || this.#registrations.length > 0) return;
    const { advertise, weight, zone, tags, meta } = this.#options;
    const address = advertised(this.address, advertise);
    const services = [...this.#registered.keys()];
    for (const plugin of resolvers) {
      this.#registrations.push(
        await plugin.init({ address, services, weight, zone, tags, meta, logger: this.#logger }),
      );
      this.#refuseWhenHurried();
    }
  }

  /**
   * Gives new connections other certificates; open ones keep theirs, and what is left out stays as it is. Without an
   * argument `certFile`, `keyFile` and `caFile` are read again at once.
   * @throws RpcError or TypeError that names what is wrong, or when the server does not serve; then nothing changes
   */
  async reloadTls(renewal?: TlsRenewal): Promise<void> {
    await this.#tls.reload(renewal);
  }

  /**
   * Leaves so that no call is lost: health says NOT_SERVING, the registry forgets the server, `drainMs` pass so that
   * clients have seen it, new calls are refused, those in flight get `graceMs`. Harmless twice.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Closes without waiting for anything: calls in flight are cut off. Also when `close()` is under way. */
  closeNow(): Promise<void> {
    this.#hurry();
    return this.close();
  }

  async #close(): Promise<void> {
    // A start under way ends first, unless there is no time; that it failed is told by serve().
    await Promise.race([this.#serving?.catch(() => {}), this.#hurried]);
    const listed = this.#registrations.length > 0 || this.#fleet !== undefined;
    await this.#leave({
      drainMs: this.#options.drainMs ?? (listed ? 1_000 : 0),
      graceMs: this.#options.graceMs ?? 10_000,
    });
  }

  async #leave(times: { drainMs: number; graceMs: number }): Promise<void> {
    this.#forgetSignals();
    const limitMs = times.drainMs + times.graceMs + WORKER_MARGIN_MS;
    await this.#fleet?.end({ limitMs, hurry: this.#hurried });
    if (!this.#listener) return this.#tls.close();
    await drain({
      health: this.#health,
      registrations: this.#registrations,
      listener: this.#listener,
      gate: this.#gate,
      drainMs: Math.min(times.drainMs, MAX_TIMER_MS),
      graceMs: Math.min(times.graceMs, MAX_TIMER_MS),
      hurry: this.#hurried,
      logger: this.#logger,
    });
    this.#tls.close();
  }

  /** A start that `closeNow()` did not wait for ends here. */
  #refuseWhenHurried(): void {
    if (this.#isHurried) throw closed();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
