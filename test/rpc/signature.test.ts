import { test } from 'node:test';
import {
  bidi,
  type ClientMethod,
  clientStream,
  defineService,
  type Handler,
  type Implementation,
  type Method,
  type ServiceClient,
  serverStream,
  unary,
} from 'lictor';

// What this file proves, the compiler proves: it is wrong when one of the lines below is not an error.

type Hello = { msg: string };
type Count = { n: number };
const Greeter = defineService('types.Greeter', {
  sayHello: unary<Hello, Count, Partial<Hello>, Partial<Count>>(),
  listen: serverStream<Hello, Count>(),
  tell: clientStream<Hello, Count>(),
  chat: bidi<Hello, Count>(),
});
type Methods = typeof Greeter.methods;
declare const client: ServiceClient<Methods>;
declare const hellos: AsyncIterable<Hello>;

const whole: Implementation<Methods> = {
  // What may be left out when writing is there when reading.
  sayHello: ({ msg }) => ({ n: msg.length }),
  async *listen({ msg }, context) {
    for (let n = 0; n < msg.length && !context.signal.aborted; n++) yield { n };
  },
  async tell(requests) {
    let n = 0;
    for await (const { msg } of requests) n += msg.length;
    return { n };
  },
  async *chat(requests) {
    for await (const { msg } of requests) yield { n: msg.length };
  },
};

const { chat: _, ...three } = whole;
// @ts-expect-error a method is missing
const missing: Implementation<Methods> = three;
// @ts-expect-error no such method
const more: Implementation<Methods> = { ...whole, extra: () => {} };
// @ts-expect-error a text is no count
const wrongReply: Implementation<Methods> = { ...whole, sayHello: () => ({ n: 'one' }) };
// @ts-expect-error a stream of replies is wanted
const noStream: Implementation<Methods> = { ...whole, listen: async () => ({ n: 1 }) };
// @ts-expect-error a stream of the wrong replies
const wrongStream: Implementation<Methods> = { ...whole, chat: () => hellos };
// @ts-expect-error the request has no such field
const wrongRequest: Implementation<Methods> = { ...whole, sayHello: ({ message }) => ({ n: message }) };

function calls() {
  const unaryReply: Promise<Count> = client.sayHello({});
  const replies: AsyncIterable<Count> = client.listen({ msg: 'a' }, { timeoutMs: 1 });
  const told: Promise<Count> = client.tell(hellos);
  const chatted: AsyncIterable<Count> = client.chat(hellos);
  // @ts-expect-error a number is no text
  void client.sayHello({ msg: 1 });
  // @ts-expect-error no such field
  void client.sayHello({ message: 'a' });
  // @ts-expect-error the field must be there
  void client.listen({});
  // @ts-expect-error the request must be there
  void client.sayHello();
  // @ts-expect-error no such method
  void client.sayGoodbye({});
  // @ts-expect-error no such option
  void client.sayHello({}, { timeout: 1 });
  // @ts-expect-error a stream is no promise
  const promise: Promise<Count> = client.listen({ msg: 'a' });
  // @ts-expect-error a promise is no stream
  const iterable: AsyncIterable<Count> = client.sayHello({});
  // @ts-expect-error one request is no stream of them
  void client.tell({ msg: 'a' });
  // @ts-expect-error a reply is read with its own type
  const text: Promise<Hello> = client.sayHello({});
  return [unaryReply, replies, told, chatted, promise, iterable, text];
}

async function dynamic(call: ClientMethod<Method>, handler: Handler<Method>) {
  // A kind that is known only at run time can be awaited and iterated.
  for await (const reply of call({})) return [reply, await call({}), handler];
  return [];
}

test('implementations and clients have the types of their service', () => {
  void [missing, more, wrongReply, noStream, wrongStream, wrongRequest, calls, dynamic];
});
