import { serializationNamed, serializationOfSubtype } from '../codec/named.js';
import type { Serialization } from '../codec/serialization.js';
import type { DecodedLimit } from '../rpc/decoded-limit.js';
import { RpcError } from '../rpc/error.js';
import type { Interceptor } from '../rpc/interceptor.js';
import type { Logger } from '../rpc/log.js';
import { checkServiceName } from '../rpc/name.js';
import { refusal, unknownMethod } from '../rpc/not-executed.js';
import type { Method, Service } from '../rpc/service.js';
import { Status } from '../rpc/status.js';
import type { Route, Routes } from '../transport/transport.js';
import { type WireMethod, wireMethod } from '../transport/wire-method.js';
import type { Gate } from './gate.js';
import { type AnyHandler, MethodRunner } from './handle.js';

/** A service with what implements it, before the server's interceptors are known. */
export type Registered = {
  readonly service: Service;
  readonly implementation: Readonly<Record<string, unknown>>;
  readonly serializations: readonly Serialization[];
};

/**
 * Checks an implementation against its service. A method left out is answered with UNIMPLEMENTED, since a service may
 * grow before its servers do; what is there but not of the service is a mistake in a name.
 */
export function checkImplementation({ service, implementation }: Registered): void {
  checkServiceName(service.name);
  for (const key of Object.keys(service.methods)) {
    const handler = own(implementation, key);
    if (handler !== undefined && typeof handler !== 'function') {
      throw new TypeError(`${service.name}: ${key} must be a function, got ${typeof handler}`);
    }
  }
  const known = new Set(Object.keys(service.methods));
  const stranger = Object.keys(implementation).find(
    (key) => typeof implementation[key] === 'function' && !known.has(key),
  );
  if (stranger !== undefined) {
    throw new TypeError(`${service.name} has no method ${stranger}; it has ${[...known].join(', ')}`);
  }
}

/** Every path that the server answers. */
export function buildRoutes(
  registered: Iterable<Registered>,
  interceptors: readonly Interceptor[],
  gate: Gate,
  decodedLimit: DecodedLimit,
  logger: Logger,
): Routes {
  const routes = new Map<string, Route>();
  for (const entry of registered) {
    for (const [key, method] of Object.entries(entry.service.methods)) {
      const handler = boundHandler(entry.implementation, key, method);
      const runner = new MethodRunner(entry.service.name, method, handler, interceptors, gate, logger);
      const wires = new WireMethods(entry, method, decodedLimit, logger);
      routes.set(method.path, {
        kind: method.kind,
        wire: (subtype) => wires.get(subtype),
        unary: (call, request) => runner.unary(call, request),
        stream: (call, requests) => runner.stream(call, requests),
      });
    }
  }
  return routes;
}

function boundHandler(implementation: Registered['implementation'], key: string, method: Method): AnyHandler {
  const handler = own(implementation, key);
  if (typeof handler === 'function') return handler.bind(implementation) as AnyHandler;
  return () => {
    throw unknownMethod(method.path);
  };
}

/** What every object inherits is nobody's handler, whatever a method is called. */
const own = (implementation: Registered['implementation'], key: string): unknown =>
  key in Object.prototype && !Object.hasOwn(implementation, key) ? undefined : implementation[key];

/** A method in each serialization that clients speak, made when the first one does. */
class WireMethods {
  readonly #registered: Registered;
  readonly #method: Method;
  readonly #decodedLimit: DecodedLimit;
  readonly #logger: Logger;
  readonly #bySubtype = new Map<string, WireMethod | RpcError>();

  constructor(registered: Registered, method: Method, decodedLimit: DecodedLimit, logger: Logger) {
    this.#registered = registered;
    this.#method = method;
    this.#decodedLimit = decodedLimit;
    this.#logger = logger;
    const { service, serializations } = registered;
    // The service's own serialization must fit its messages, and that shows when the server starts.
    this.#bySubtype.set('', this.#wireIn(serializationNamed(service.serialization, serializations)));
  }

  get(subtype: string): WireMethod | RpcError {
    const known = this.#bySubtype.get(subtype);
    if (known) return known;
    try {
      const serialization = serializationOfSubtype(subtype, this.#registered.serializations);
      const wire = this.#wireIn(serialization);
      this.#bySubtype.set(subtype, wire);
      return wire;
    } catch (reason) {
      const { code, details } = RpcError.from(reason, Status.UNIMPLEMENTED);
      return refusal(details, code);
    }
  }

  /** A reply that cannot be written is the handler's mistake, which codecs, not knowing their side, call the caller's. */
  #wireIn(serialization: Serialization): WireMethod {
    const wire = wireMethod(this.#method, serialization, this.#decodedLimit);
    const encode = (reply: unknown) => {
      try {
        return wire.reply.encode(reply);
      } catch (error) {
        try {
          this.#logger.error('a reply could not be written', { method: this.#method.path, error });
        } catch {
          // A logger that fails must not take the call with it.
        }
        throw new RpcError(
          Status.INTERNAL,
          `the reply could not be written: ${RpcError.from(error).details}`,
        );
      }
    };
    return { ...wire, reply: { encode, decode: (bytes) => wire.reply.decode(bytes) } };
  }
}
