import type { CallInfo } from '../rpc/call.js';
import type { Deadline } from '../rpc/deadline.js';
import type { Metadata } from '../rpc/metadata.js';
import type { Method } from '../rpc/service.js';
import type { ServerCall } from './context.js';

/** A call as the interceptors of a server see it. */
export class InterceptedCall implements CallInfo {
  readonly side = 'server';
  readonly service: string;
  readonly method: Method;
  readonly metadata: Metadata;
  readonly deadline: Deadline | undefined;
  readonly message: unknown;
  readonly context: ServerCall;
  declare readonly signal: AbortSignal;

  constructor(message: unknown, context: ServerCall) {
    this.service = context.service;
    this.method = context.method;
    this.metadata = context.metadata;
    this.deadline = context.deadline;
    this.message = message;
    this.context = context;
    Object.defineProperty(this, 'signal', SIGNAL);
  }
}

/**
 * Most interceptors do not ask for the signal, and it costs more than the rest. A property of the object's own, so
 * that `{ ...call, message }` has it too; with the one getter for all, so that the objects keep one shape.
 */
const SIGNAL: PropertyDescriptor = {
  enumerable: true,
  get(this: InterceptedCall) {
    return this.context.signal;
  },
};
