import type { RpcError } from '../rpc/error.js';
import type { Method } from '../rpc/service.js';
import type { ServerCall } from './context.js';
import type { Gate } from './gate.js';
import type { UsualTime } from './overload/usual-time.js';

/** A method as its calls see it. */
export interface Runner {
  readonly service: string;
  readonly method: Method;
  readonly gate: Gate;
  /** How long its calls take. */
  readonly usual: UsualTime;
  /** What the handler gives, or a promise of it, through the interceptors. */
  run(message: unknown, context: ServerCall): unknown;
  /** The reason why it is no reply, or undefined. */
  missing(reply: unknown): RpcError | undefined;
  /** @throws RpcError INTERNAL when the result is not a stream */
  checkedStream(result: unknown): AsyncIterable<unknown>;
  /** What the client is told of whatever was thrown. */
  failed(reason: unknown, call: ServerCall): RpcError;
}
