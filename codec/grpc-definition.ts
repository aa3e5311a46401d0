import { RpcError, textOf } from '../rpc/error.js';
import { lazily } from '../rpc/lazily.js';
import { checkServiceName } from '../rpc/name.js';
import type { MessageCodec, MessageType, Method, MethodKind, Service } from '../rpc/service.js';
import { Status } from '../rpc/status.js';
import { describedTypes } from './grpc-descriptor.js';
import { kindOf } from './proto-service.js';
import { type PriceCheck, priceCheckOf } from './protobuf-price.js';

/** One method as `@grpc/grpc-js` describes it, and with it ts-proto, grpc-tools and `@grpc/proto-loader`. */
export interface GrpcMethodDefinition {
  readonly path: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  readonly requestSerialize: (message: never) => Uint8Array;
  readonly requestDeserialize: (bytes: Buffer) => unknown;
  readonly responseSerialize: (message: never) => Uint8Array;
  readonly responseDeserialize: (bytes: Buffer) => unknown;
}

/** A service as `@grpc/grpc-js` describes it. */
export type GrpcDefinition = Readonly<Record<string, GrpcMethodDefinition>>;

/** ts-proto declares `requestStream: false`, so the kind is known to the compiler; others say `boolean`. */
type KindFrom<Q extends boolean, R extends boolean> = boolean extends Q
  ? MethodKind
  : boolean extends R
    ? MethodKind
    : Q extends true
      ? R extends true
        ? 'bidi'
        : 'clientStream'
      : R extends true
        ? 'serverStream'
        : 'unary';

type MethodFrom<D extends GrpcMethodDefinition> = Method<
  KindFrom<D['requestStream'], D['responseStream']>,
  {
    requestInit: Parameters<D['requestSerialize']>[0];
    request: ReturnType<D['requestDeserialize']>;
    replyInit: Parameters<D['responseSerialize']>[0];
    reply: ReturnType<D['responseDeserialize']>;
  }
>;

type Keyed<K> = K extends string ? Uncapitalize<K> : never;

/** The methods of a definition, under their keys with a small first letter; typed as far as the definition is. */
export type MethodsFrom<D extends GrpcDefinition> = { readonly [K in keyof D as Keyed<K>]: MethodFrom<D[K]> };

/**
 * A service from code generated for `@grpc/grpc-js`; messages look as that code makes them.
 * @throws RpcError INVALID_ARGUMENT when it is no such definition or its methods are of several services
 */
export function fromGrpcDefinition<const D extends { readonly [K in keyof D]: GrpcMethodDefinition }>(
  definition: D,
): Service<MethodsFrom<D>> {
  if (!isGrpcDefinition(definition))
    throw bad('not a gRPC service definition: every method needs a path and serializers');
  const methods: Record<string, Method> = {};
  let service: string | undefined;
  for (const [key, method] of Object.entries(definition as GrpcDefinition)) {
    const [, serviceName = '', name = ''] = /^\/([^/]+)\/([^/]+)$/.exec(method.path) ?? [];
    if (name === '')
      throw bad(`${key}: the path ${JSON.stringify(method.path.slice(0, 128))} is not /service/method`);
    service ??= checkServiceName(serviceName);
    if (serviceName !== service) throw bad(`${method.path}: not a method of ${service}, as those before it`);
    methods[key.charAt(0).toLowerCase() + key.slice(1)] = {
      name,
      path: method.path,
      kind: kindOf(method),
      idempotent: false,
      ...messageTypes(method, service, name),
    };
  }
  return { name: service!, methods: methods as never, serialization: 'protobuf' };
}

/** Whether a value is a service definition of `@grpc/grpc-js`. */
export function isGrpcDefinition(value: unknown): value is GrpcDefinition {
  if (typeof value !== 'object' || value === null) return false;
  const methods: unknown[] = Object.values(value);
  return methods.length > 0 && methods.every(isMethodDefinition);
}

function isMethodDefinition(value: unknown): value is GrpcMethodDefinition {
  if (typeof value !== 'object' || value === null) return false;
  const method = value as Record<keyof GrpcMethodDefinition, unknown>;
  return (
    typeof method.path === 'string' &&
    typeof method.requestStream === 'boolean' &&
    typeof method.responseStream === 'boolean' &&
    typeof method.requestSerialize === 'function' &&
    typeof method.requestDeserialize === 'function' &&
    typeof method.responseSerialize === 'function' &&
    typeof method.responseDeserialize === 'function'
  );
}

function messageTypes(method: GrpcMethodDefinition, service: string, name: string) {
  const { requestSerialize, requestDeserialize, responseSerialize, responseDeserialize } = method;
  const described = lazily(() => describedTypes(method, service, name));
  const checks = {
    request: lazily(() => priceCheckOf(described()?.request)),
    reply: lazily(() => priceCheckOf(described()?.reply)),
  };
  return {
    request: typeFrom(`${service}.${name} request`, requestSerialize, requestDeserialize, checks.request),
    reply: typeFrom(`${service}.${name} reply`, responseSerialize, responseDeserialize, checks.reply),
  };
}

/** Messages that are so small are not looked at: reading the descriptors would take longer. */
const FREE_BYTES = 2_048;

function typeFrom(
  name: string,
  serialize: (message: never) => Uint8Array,
  deserialize: (bytes: Buffer) => unknown,
  checkPrice: () => PriceCheck,
): MessageType {
  const decode = (bytes: Uint8Array) => {
    try {
      return deserialize(
        Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length),
      );
    } catch (cause) {
      throw new RpcError(Status.INTERNAL, `${name}: malformed protobuf: ${textOf(cause)}`, { cause });
    }
  };
  const protobuf: MessageCodec = {
    encode(message) {
      try {
        return serialize(message as never);
      } catch (cause) {
        throw new RpcError(Status.INVALID_ARGUMENT, `${name}: ${textOf(cause)}`, {
          cause,
          maybeExecuted: false,
        });
      }
    },
    decode,
    decodeWithin(bytes, limit) {
      if (bytes.length > Math.min(FREE_BYTES, limit.bytes)) checkPrice()(bytes, name, limit);
      return decode(bytes);
    },
  };
  return { name, codecs: { protobuf } };
}

const bad = (text: string) => new RpcError(Status.INVALID_ARGUMENT, text, { maybeExecuted: false });
