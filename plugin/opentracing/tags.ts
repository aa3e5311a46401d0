import { isIPv4, isIPv6 } from 'node:net';
import { Tags } from 'opentracing';
import { parseAddress } from '../../rpc/address.js';
import type { Call } from '../../rpc/call.js';
import type { RpcError } from '../../rpc/error.js';
import { Status, statusName } from '../../rpc/status.js';

type TagValues = Record<string, string | number | boolean>;

/** What is known of a call when it starts, by OpenTracing's semantic conventions; `rpc.*` as OpenTelemetry has them. */
export function startTags(call: Call): TagValues {
  const tags: TagValues = {
    [Tags.SPAN_KIND]: call.side === 'client' ? Tags.SPAN_KIND_RPC_CLIENT : Tags.SPAN_KIND_RPC_SERVER,
    [Tags.COMPONENT]: 'lictor',
    'rpc.system': 'grpc',
    'rpc.service': call.service,
    'rpc.method': call.method.name,
  };
  if (call.side === 'server') return Object.assign(tags, peerTags(call.context.peer.address));
  tags[Tags.PEER_SERVICE] = call.service;
  return call.options.target === undefined ? tags : Object.assign(tags, peerTags(call.options.target));
}

function peerTags(address: string): TagValues {
  const tags: TagValues = { [Tags.PEER_ADDRESS]: address };
  try {
    const peer = parseAddress(address);
    if (peer.kind === 'unix') return tags;
    const { host } = peer;
    tags[isIPv4(host) ? Tags.PEER_HOST_IPV4 : isIPv6(host) ? Tags.PEER_HOST_IPV6 : Tags.PEER_HOSTNAME] = host;
    tags[Tags.PEER_PORT] = peer.port;
  } catch {
    // A transport without sockets has addresses of another form.
  }
  return tags;
}

/** How the call ended. */
export function resultTags(error: RpcError | undefined): TagValues {
  const code = error?.code ?? Status.OK;
  return {
    'grpc.status': statusName(code),
    'grpc.status_code': code,
    ...(error && { [Tags.ERROR]: true }),
  };
}

/** What a span is told of a failure. On the server it has the text and stack of errors that clients are not told. */
export function failureLog(error: RpcError): Record<string, unknown> {
  return {
    event: 'error',
    'error.kind': error.status,
    'error.object': error,
    message: error.details,
    stack: (error.cause instanceof Error ? error.cause : error).stack,
  };
}
