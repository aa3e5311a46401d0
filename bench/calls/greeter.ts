import { type DynamicMethod, loadProto, type Service } from 'lictor';

/** The service that every stack answers: the same .proto for all of them. */
export const PROTO = 'examples/helloworld/helloworld.proto';
export const PATH = '/helloworld.Greeter/SayHello';
export const MESSAGE = { msg: 'the quick brown fox jumps over the lazy dog' };

export const greeter = (): Service<{ sayHello: DynamicMethod }> =>
  loadProto(PROTO).service('helloworld.Greeter') as Service<{ sayHello: DynamicMethod }>;
