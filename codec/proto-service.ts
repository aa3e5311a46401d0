import type pb from 'protobufjs';
import { RpcError } from '../rpc/error.js';
import { checkServiceName } from '../rpc/name.js';
import { keyOf, type Method, type MethodKind, type Methods, type Service } from '../rpc/service.js';
import { Status } from '../rpc/status.js';
import { type ProtoFile, rootOf } from './proto-file.js';
import { messageTypeOf } from './protobuf-type.js';
import { protobufjs } from './protobufjs.js';

/**
 * The service of that full name in a file or its imports. Generated modules call this; the type argument is theirs.
 * @throws RpcError INVALID_ARGUMENT that lists the known services
 */
export const serviceFromProto = <M extends Methods>(file: ProtoFile, name: string): Service<M> =>
  serviceIn(rootOf(file), name, file.name) as Service<M>;

/** @param where named in the error when the root has no such service */
export function serviceIn(root: pb.Root, name: string, where: string): Service {
  const found = servicesIn(root).get(name);
  if (found) return serviceOf(found);
  const names = [...servicesIn(root).keys()].join(', ') || 'none';
  throw new RpcError(
    Status.INVALID_ARGUMENT,
    `${where}: there is no service ${JSON.stringify(String(name).slice(0, 128))}; there are: ${names}`,
    { maybeExecuted: false },
  );
}

/** All services of a namespace, by full name. */
export function servicesIn(namespace: pb.NamespaceBase): Map<string, pb.Service> {
  const { Namespace, Service } = protobufjs();
  const found = new Map<string, pb.Service>();
  for (const object of namespace.nestedArray) {
    if (object instanceof Service) found.set(object.fullName.slice(1), object);
    else if (object instanceof Namespace)
      for (const [name, service] of servicesIn(object)) found.set(name, service);
  }
  return found;
}

/**
 * A protobufjs service as a service.
 * @throws RpcError INVALID_ARGUMENT when two of its methods would have the same name in TypeScript
 */
export function serviceOf(service: pb.Service): Service {
  const name = checkServiceName(service.fullName.slice(1));
  const methods: Record<string, Method> = {};
  for (const method of service.methodsArray) {
    const key = keyOf(method.name);
    if (Object.hasOwn(methods, key) || key === '__proto__') {
      const why =
        key === '__proto__' ? 'is no name for a method' : `and ${methods[key]!.name} would both be ${key}`;
      throw new RpcError(Status.INVALID_ARGUMENT, `${name}: ${method.name} ${why}`, { maybeExecuted: false });
    }
    method.resolve();
    methods[key] = {
      name: method.name,
      path: `/${name}/${method.name}`,
      kind: kindOf(method),
      idempotent: isIdempotent(method),
      request: messageTypeOf(method.resolvedRequestType!),
      reply: messageTypeOf(method.resolvedResponseType!),
    };
  }
  return { name, methods, serialization: 'protobuf' };
}

export function kindOf(method: {
  requestStream?: boolean | undefined;
  responseStream?: boolean | undefined;
}): MethodKind {
  if (method.requestStream) return method.responseStream ? 'bidi' : 'clientStream';
  return method.responseStream ? 'serverStream' : 'unary';
}

function isIdempotent(method: pb.Method): boolean {
  const level: unknown = method.getOption('idempotency_level');
  return level === 'NO_SIDE_EFFECTS' || level === 'IDEMPOTENT';
}
