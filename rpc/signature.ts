import type { CallContext, CallOptions } from './call.js';
import type { Method, MethodKind, Methods } from './service.js';

/** What a call whose kind is known only at run time gives back: await it, or iterate it, as the method is. */
export type DynamicReply<T> = Promise<T> & AsyncIterable<T>;

/** A method as the caller sees it. */
export type ClientMethod<M> =
  M extends Method<infer K, infer T>
    ? MethodKind extends K
      ? (
          request: T['requestInit'] | AsyncIterable<T['requestInit']>,
          options?: CallOptions,
        ) => DynamicReply<T['reply']>
      : K extends 'unary'
        ? (request: T['requestInit'], options?: CallOptions) => Promise<T['reply']>
        : K extends 'serverStream'
          ? (request: T['requestInit'], options?: CallOptions) => AsyncIterable<T['reply']>
          : K extends 'clientStream'
            ? (requests: AsyncIterable<T['requestInit']>, options?: CallOptions) => Promise<T['reply']>
            : (requests: AsyncIterable<T['requestInit']>, options?: CallOptions) => AsyncIterable<T['reply']>
    : never;

/** A service as its caller sees it: `client.service(Greeter)`. */
export type ServiceClient<M extends Methods = Methods> = { readonly [K in keyof M]: ClientMethod<M[K]> };

/** A method as its implementer writes it. */
export type Handler<M> =
  M extends Method<infer K, infer T>
    ? MethodKind extends K
      ? (request: never, context: CallContext) => unknown
      : K extends 'unary'
        ? (request: T['request'], context: CallContext) => T['replyInit'] | Promise<T['replyInit']>
        : K extends 'serverStream'
          ? (request: T['request'], context: CallContext) => AsyncIterable<T['replyInit']>
          : K extends 'clientStream'
            ? (
                requests: AsyncIterable<T['request']>,
                context: CallContext,
              ) => T['replyInit'] | Promise<T['replyInit']>
            : (requests: AsyncIterable<T['request']>, context: CallContext) => AsyncIterable<T['replyInit']>
    : never;

/** A service as its implementer writes it; a method left out is a type error. */
export type Implementation<M extends Methods = Methods> = { readonly [K in keyof M]: Handler<M[K]> };
