import {
  bidi,
  clientStream,
  defineService,
  type MessageCodec,
  type Serialization,
  serverStream,
  unary,
} from 'lictor';

type N = { n: number };

/** Does something that must not be done twice. */
export const Faults = defineService('faults.Faults', { work: unary<N, N>() });

/** What may be done as often as one likes. */
export const Reads = defineService('faults.Reads', {
  /** As `work`. */
  look: unary<N, N>({ idempotent: true }),
  /** As many bytes as asked for. */
  fetch: unary<N, { bytes: string }>({ idempotent: true }),
  /** Goes on until it is cancelled, or has given so many. */
  count: serverStream<N, N>(),
  /** Gives messages of so many bytes until it is cancelled. */
  pour: serverStream<N, { bytes: string }>(),
  sum: clientStream<N, N>(),
  double: bidi<N, N>(),
});

const asItIs: MessageCodec = { encode: (message) => message as Uint8Array, decode: (bytes) => bytes };

/** Bytes that cost nothing to write and to read. */
export const raw: Serialization = { name: 'raw', subtype: 'raw', codecFor: () => asItIs };

/** In `raw`: a reply as long as `LARGE` for a request that begins with 1, else the request. */
export const Bytes = defineService('faults.Bytes', { give: unary<Uint8Array, Uint8Array>() });
export const LARGE = 4 * 2 ** 20;
