import type { DecodedLimit } from './decoded-limit.js';
import { RpcError } from './error.js';
import { checkServiceName } from './name.js';
import { Status } from './status.js';

/** How messages flow: one or many each way. */
export type MethodKind = 'unary' | 'serverStream' | 'clientStream' | 'bidi';

/** Messages of one type to bytes and back. `decode` must refuse, by throwing, what `encode` would not have written. */
export interface MessageCodec<T = unknown> {
  encode(message: T): Uint8Array;
  decode(bytes: Uint8Array): T;
  /**
   * As `decode`, but refuses before it makes any object what would take more memory than the limit, by RESOURCE_EXHAUSTED.
   * The built-in codecs have it. Clients and servers call it where it is there, and `decode` where it is not.
   */
  decodeWithin?(bytes: Uint8Array, limit: DecodedLimit): T;
}

/** The type of a message, as data. A type described by a .proto brings its own codecs, by name of serialization. */
export interface MessageType {
  readonly name: string;
  readonly codecs?: Readonly<Record<string, MessageCodec>>;
}

/** The four TypeScript types of a method: `Init` is what one may write, the other what one reads. */
export type MessageTypes = { requestInit: unknown; request: unknown; replyInit: unknown; reply: unknown };

export interface Method<K extends MethodKind = MethodKind, T extends MessageTypes = MessageTypes> {
  /** The name on the wire: `SayHello`. */
  readonly name: string;
  /** `/helloworld.Greeter/SayHello` */
  readonly path: string;
  readonly kind: K;
  /** Whether running it twice does no harm, so that it may be sent again when nobody knows if it ran. */
  readonly idempotent: boolean;
  readonly request: MessageType;
  readonly reply: MessageType;
  /** Only for the compiler; never set. */
  readonly types?: T;
}

type Types<Request, Reply, RequestInit, ReplyInit> = {
  requestInit: RequestInit;
  request: Request;
  replyInit: ReplyInit;
  reply: Reply;
};
export type Unary<Q, R, QI = Q, RI = R> = Method<'unary', Types<Q, R, QI, RI>>;
export type ServerStream<Q, R, QI = Q, RI = R> = Method<'serverStream', Types<Q, R, QI, RI>>;
export type ClientStream<Q, R, QI = Q, RI = R> = Method<'clientStream', Types<Q, R, QI, RI>>;
export type Bidi<Q, R, QI = Q, RI = R> = Method<'bidi', Types<Q, R, QI, RI>>;

/** A service's methods, under the names they have in TypeScript (`sayHello`). */
export type Methods = Readonly<Record<string, Method>>;

/** A service as data: what both sides need to know of it. */
export interface Service<M extends Methods = Methods> {
  /** Full name with the package: `helloworld.Greeter`. */
  readonly name: string;
  readonly methods: M;
  /** The serialization used unless a call asks for another: `protobuf`, `json`, `msgpack` or a custom one's name. */
  readonly serialization: string;
}

/** A method as one writes it down: `unary<HelloRequest, HelloReply>()`. */
export type MethodSpec<K extends MethodKind, T extends MessageTypes> = MethodOptions & {
  readonly kind: K;
  readonly types?: T;
};

export type MethodOptions = {
  /** The name on the wire. @default the key with a capital first letter */
  readonly name?: string;
  /** @default false */
  readonly idempotent?: boolean;
  /** @default a type without a codec of its own: JSON and MessagePack take any plain value */
  readonly request?: MessageType;
  readonly reply?: MessageType;
};

const spec =
  <K extends MethodKind>(kind: K) =>
  <Q, R, QI = Q, RI = R>(options: MethodOptions = {}): MethodSpec<K, Types<Q, R, QI, RI>> => ({
    ...options,
    kind,
  });

/** One request, one reply. */
export const unary = spec('unary');
/** One request, many replies. */
export const serverStream = spec('serverStream');
/** Many requests, one reply. */
export const clientStream = spec('clientStream');
/** Many requests, many replies, independent of each other. */
export const bidi = spec('bidi');

type MethodOf<S> = S extends MethodSpec<infer K, infer T> ? Method<K, T> : never;
type Specs = Readonly<Record<string, MethodSpec<MethodKind, MessageTypes>>>;

/**
 * Defines a service in TypeScript, without a .proto:
 *
 *     const Greeter = defineService('helloworld.Greeter', { sayHello: unary<HelloRequest, HelloReply>() });
 *
 * @param options.serialization what its messages travel as. @default 'json'
 * @throws RpcError INVALID_ARGUMENT for a bad service or method name
 */
export function defineService<const S extends Specs>(
  name: string,
  specs: S,
  options: { serialization?: string } = {},
): Service<{ readonly [K in keyof S]: MethodOf<S[K]> }> {
  checkServiceName(name);
  const methods: Record<string, Method> = Object.create(null);
  const wireNames = new Set<string>();
  for (const [key, method] of Object.entries(specs)) {
    const wireName = method.name ?? key.charAt(0).toUpperCase() + key.slice(1);
    if (!METHOD_NAME.test(wireName)) {
      throw new RpcError(
        Status.INVALID_ARGUMENT,
        `${name}: method name ${JSON.stringify(wireName)} is not an identifier`,
      );
    }
    if (wireNames.has(wireName)) {
      throw new RpcError(Status.INVALID_ARGUMENT, `${name}: two methods are named ${wireName} on the wire`);
    }
    wireNames.add(wireName);
    methods[key] = {
      name: wireName,
      path: `/${name}/${wireName}`,
      kind: method.kind,
      idempotent: method.idempotent ?? false,
      request: method.request ?? { name: `${name}.${wireName} request` },
      reply: method.reply ?? { name: `${name}.${wireName} reply` },
    };
  }
  return { name, methods: methods as never, serialization: options.serialization ?? 'json' };
}

const METHOD_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;

/** `sayHello` for `SayHello`: the name that a wire method has in TypeScript. */
export const keyOf = (wireName: string): string => wireName.charAt(0).toLowerCase() + wireName.slice(1);
