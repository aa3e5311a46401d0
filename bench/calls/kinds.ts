import { TEXT } from './service.js';
import type { Caller, Payload } from './stack.js';

/** One way of loading a stack. */
export type Kind = {
  readonly name: string;
  readonly inFlight: number;
  readonly tls: boolean;
  /** The client process does `work`; or h2load is the client, and the server is measured alone. */
  readonly load: 'client' | 'h2load';
  /** What is counted. */
  readonly unit: 'calls' | 'messages';
};

const calls = { tls: false, load: 'client', unit: 'calls' } as const;

export const kinds: readonly Kind[] = [
  { ...calls, name: 'unary', inFlight: 1 },
  { ...calls, name: 'unary', inFlight: 100 },
  { ...calls, name: 'unary', inFlight: 1_000 },
  { ...calls, name: 'unary, TLS', inFlight: 100, tls: true },
  { ...calls, name: 'server alone', inFlight: 100, load: 'h2load' },
  { ...calls, name: '64 KiB', inFlight: 10 },
  { ...calls, name: '1 MiB', inFlight: 2 },
  { ...calls, name: 'server stream', inFlight: 10, unit: 'messages' },
  { ...calls, name: 'bidi', inFlight: 10, unit: 'messages' },
];

/** Messages of one stream; then the next stream begins. */
const STREAM_MESSAGES = 500;

/** One piece of work of a kind: resolves with the number of calls or messages that it was. */
export type Work = () => Promise<number>;

export function workOf(kind: string, caller: Caller): Work {
  switch (kind) {
    case 'unary':
    case 'unary, TLS':
      return async () => {
        const { text } = await caller.say(TEXT);
        if (text.length !== TEXT.length) throw new Error(`another text came back: ${text}`);
        return 1;
      };
    case '64 KiB':
      return carry(caller, payloadOf(65_536));
    case '1 MiB':
      return carry(caller, payloadOf(1_048_576));
    case 'server stream':
      return () => received(caller.count!(STREAM_MESSAGES));
    case 'bidi':
      return () => received(caller.chat!(texts(STREAM_MESSAGES)));
    default:
      throw new Error(`unknown kind ${kind}`);
  }
}

const carry = (caller: Caller, payload: Payload): Work => {
  return async () => {
    const { data } = await caller.carry(payload);
    if (data.length !== payload.data.length) throw new Error(`${data.length} bytes came back`);
    return 1;
  };
};

async function received(replies: AsyncIterable<unknown>): Promise<number> {
  let messages = 0;
  for await (const _ of replies) messages++;
  if (messages !== STREAM_MESSAGES) throw new Error(`${messages} of ${STREAM_MESSAGES} messages came`);
  return messages;
}

async function* texts(count: number) {
  for (let i = 0; i < count; i++) yield { text: TEXT };
}

function payloadOf(bytes: number): Payload {
  const data = Buffer.alloc(bytes, 'abcdefghijklmnopqrstuvwxyz');
  return { data, text: data.toString('latin1') };
}
