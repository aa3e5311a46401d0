import { acceptEncoding, compressionNamed } from '../../codec/compression.js';
import { RpcError } from '../../rpc/error.js';
import { refusal, unknownMethod } from '../../rpc/not-executed.js';
import { Status } from '../../rpc/status.js';
import type { Route } from '../transport.js';
import type { WireMethod } from '../wire-method.js';
import type { RequestHead } from './request-head.js';
import type { Fields } from './stream.js';
import { trailerFields } from './trailers.js';

/** Why a request is answered at once, with trailers only. */
export class Refusal {
  readonly trailers: Fields;

  constructor({ code, details, metadata }: RpcError, more: Fields = []) {
    this.trailers = [
      ...trailerFields(code, details, [metadata], { contentType: 'application/grpc' }),
      ...more,
    ];
  }
}

export const noSuchMethod = (path: string) => new Refusal(unknownMethod(path));

export const tooMuchMetadata = () =>
  new Refusal(new RpcError(Status.RESOURCE_EXHAUSTED, 'the metadata of the request is over the limit'));

/** How the messages of a request are read, if its content type and its compression are known here. */
export function admit(route: Route, subtype: string, head: RequestHead): WireMethod | Refusal {
  const wire = route.wire(subtype);
  if (wire instanceof RpcError) return new Refusal(wire);
  return (head.encoding && unknownEncoding(head.encoding)) || wire;
}

function unknownEncoding(name: string): Refusal | undefined {
  try {
    compressionNamed(name);
    return undefined;
  } catch (reason) {
    const { code, details } = RpcError.from(reason, Status.UNIMPLEMENTED);
    return new Refusal(refusal(details, code), ['grpc-accept-encoding', acceptEncoding]);
  }
}
