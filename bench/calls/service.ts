import type { Text } from './stack.js';

export const PROTO = 'bench/calls/bench.proto';
export const SERVICE = 'bench.Bench';
export const TEXT = 'the quick brown fox jumps over the lazy dog';

/** The handlers, for the stacks that take them as functions and generators. */
export const handlers = {
  say: ({ text }: Text) => ({ text }),
  carry: ({ data }: { data: Uint8Array }) => ({ data }),
  async *count({ messages }: { messages: number }) {
    for (let i = 0; i < messages; i++) yield { text: TEXT };
  },
  async *chat(requests: AsyncIterable<Text>) {
    for await (const { text } of requests) yield { text };
  },
};
