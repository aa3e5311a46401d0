import type { Tracer } from 'opentracing';
import type { Interceptor } from '../rpc/interceptor.js';
import type { Logger } from '../rpc/log.js';
import type { Resolver } from '../selector/resolver.js';

/** What a server starts before it takes calls. */
export type Plugin = ResolverPlugin | TracingPlugin;

/** What a server asks a registry to list: every service under the one address. */
export interface RegistrationRequest {
  /** Where clients reach the server: `host:port`, never a wildcard. */
  readonly address: string;
  /** Full names of the services. */
  readonly services: readonly string[];
  readonly weight?: number | undefined;
  readonly zone?: string | undefined;
  readonly tags?: readonly string[] | undefined;
  readonly meta?: Readonly<Record<string, string>> | undefined;
  /** Where the registration reports what goes wrong later on. */
  readonly logger: Logger;
}

/** Entries in a registry, kept up until disposed. Disposing removes them and is harmless twice. */
export type Registration = AsyncDisposable;

/** Registers a server's services, and resolves them for clients: one value serves both sides. */
export interface ResolverPlugin extends Resolver {
  readonly kind: 'resolver';
  readonly name: string;
  /** Resolves when the entries are visible to others, rejects when they are not. */
  init(request: RegistrationRequest): Promise<Registration>;
}

/** Gives an OpenTracing tracer, and the interceptor that makes its spans on both sides. */
export interface TracingPlugin {
  readonly kind: 'tracing';
  readonly name: string;
  init(options: { readonly logger: Logger }): Tracer;
  /** Passes calls through untouched until `init` has been called. */
  readonly interceptor: Interceptor;
}
