import { RpcError } from '../rpc/error.js';
import { Status } from '../rpc/status.js';
import { json } from './json.js';
import { msgpack } from './msgpack.js';
import { protobuf } from './protobuf.js';
import type { Serialization } from './serialization.js';

const BUILT_IN: readonly Serialization[] = [protobuf, json, msgpack];

/**
 * The serialization of that name, or the value itself when it is one already.
 * @param custom looked at first, so that a custom one may stand in for a built-in one
 * @throws RpcError INVALID_ARGUMENT that lists the known names
 */
export function serializationNamed(
  nameOrValue: string | Serialization,
  custom: readonly Serialization[] = [],
): Serialization {
  if (typeof nameOrValue !== 'string') return nameOrValue;
  const known = [...custom, ...BUILT_IN];
  const found = known.find(({ name }) => name === nameOrValue);
  if (found) return found;
  const names = [...new Set(known.map(({ name }) => name))].join(', ');
  throw new RpcError(
    Status.INVALID_ARGUMENT,
    `serialization ${quote(nameOrValue)} is not known; there are: ${names}`,
    {
      maybeExecuted: false,
    },
  );
}

/**
 * The serialization for what follows `application/grpc+` in a content type; '' (plain `application/grpc`) is protobuf.
 * @throws RpcError UNIMPLEMENTED that lists the known subtypes
 */
export function serializationOfSubtype(
  subtype: string,
  custom: readonly Serialization[] = [],
): Serialization {
  const known = [...custom, ...BUILT_IN];
  const wanted = subtype === '' ? protobuf.subtype : subtype;
  const found = known.find((serialization) => serialization.subtype === wanted);
  if (found) return found;
  const subtypes = [...new Set(known.map((serialization) => serialization.subtype))].join(', ');
  throw new RpcError(
    Status.UNIMPLEMENTED,
    `content subtype ${quote(subtype)} is not known; there are: ${subtypes}`,
    { maybeExecuted: false },
  );
}

const quote = (text: string) => JSON.stringify(text.slice(0, 64));
