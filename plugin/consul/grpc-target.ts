import { RpcError } from '../../rpc/error.js';
import { checkServiceName } from '../../rpc/name.js';
import { Status } from '../../rpc/status.js';
import { parseAgentAddress } from './agent-address.js';

/** What a target `consul://agent/service?tag=a&dc=eu` says. */
export type ConsulTarget = {
  readonly service: string;
  /** Undefined to leave it to the options, and then to the environment. */
  readonly address: string | undefined;
  readonly datacenter: string | undefined;
  /** A node must have them all. */
  readonly tags: readonly string[];
  /** Its checks must all pass, whatever the options say; a server that is a key has none. */
  readonly passing: boolean;
};

const PARAMETERS = ['tag', 'passing', 'dc'];

/**
 * @param uri as grpc-js takes it apart, where the query is a part of the path
 * @throws RpcError INVALID_ARGUMENT for a bad service, agent or parameter
 */
export function parseTarget(uri: { readonly authority?: string; readonly path: string }): ConsulTarget {
  const [path = '', query = '', ...rest] = uri.path.split('?');
  if (rest.length > 0) throw bad(uri.path, 'has more than one "?"');
  const service = checkServiceName(path.replace(/^\//, ''));
  const parameters = new URLSearchParams(query);
  for (const name of parameters.keys()) {
    if (!PARAMETERS.includes(name))
      throw bad(
        uri.path,
        `has an unknown parameter ${JSON.stringify(name)}; known are ${PARAMETERS.join(', ')}`,
      );
  }
  for (const passing of parameters.getAll('passing')) {
    if (!['', '1', 'true'].includes(passing))
      throw bad(uri.path, 'passing: 1 is wanted, others are not listed');
  }
  const tags = parameters.getAll('tag');
  if (tags.includes('')) throw bad(uri.path, 'has an empty tag');
  const datacenter = parameters.get('dc') ?? undefined;
  if (datacenter === '') throw bad(uri.path, 'has an empty dc');
  const address = uri.authority || undefined;
  if (address !== undefined) parseAgentAddress(address);
  return { service, address, datacenter, tags, passing: parameters.has('passing') };
}

const bad = (path: string, why: string) =>
  new RpcError(Status.INVALID_ARGUMENT, `target consul:${JSON.stringify(path.slice(0, 256))} ${why}`, {
    maybeExecuted: false,
  });
