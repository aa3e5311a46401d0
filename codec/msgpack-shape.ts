/** How deep arrays and maps may stand inside each other, in both directions. */
export const MAX_DEPTH = 64;

const TIMESTAMP = -1;

/**
 * Walks over a MessagePack value without building it, and refuses what must not reach the decoder: a length that the
 * rest of the bytes cannot hold (the decoder would allocate it), nesting beyond 64, extension types but timestamps.
 * Linear in the number of values. What it lets pass may still be malformed: the decoder says so.
 */
export function checkShape(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const pending: number[] = []; // For every open array or map, how many values are still to come.
  let at = 0;

  const open = (values: number) => {
    if (values === 0) return;
    if (values > bytes.length - at)
      throw new RangeError(`${values} values announced, ${bytes.length - at} bytes left`);
    if (pending.length === MAX_DEPTH) throw new RangeError(`nested deeper than ${MAX_DEPTH}`);
    pending.push(values);
  };
  const length = (size: 1 | 2 | 4): number => {
    const from = at;
    at += size;
    return size === 1 ? view.getUint8(from) : size === 2 ? view.getUint16(from) : view.getUint32(from);
  };
  const skip = (size: number) => {
    at += size;
  };
  const extension = (size: number) => {
    const type = view.getInt8(at);
    if (type !== TIMESTAMP) throw new RangeError(`extension type ${type} is not known`);
    skip(1 + size);
  };

  do {
    const depth = pending.length;
    if (depth > 0) pending[depth - 1]!--;
    const head = view.getUint8(at++);
    if (head < 0x80 || head >= 0xe0) {
      // A small integer, all in its head.
    } else if (head < 0x90) open((head & 0x0f) * 2);
    else if (head < 0xa0) open(head & 0x0f);
    else if (head < 0xc0) skip(head & 0x1f);
    else if (head >= 0xc4 && head <= 0xc6) skip(length(SIZE[head - 0xc4]!));
    else if (head >= 0xc7 && head <= 0xc9) extension(length(SIZE[head - 0xc7]!));
    else if (head >= 0xca && head <= 0xd3) skip(NUMBER_BYTES[head - 0xca]!);
    else if (head >= 0xd4 && head <= 0xd8) extension(1 << (head - 0xd4));
    else if (head >= 0xd9 && head <= 0xdb) skip(length(SIZE[head - 0xd9]!));
    else if (head >= 0xdc && head <= 0xdd) open(length(head === 0xdc ? 2 : 4));
    else if (head >= 0xde) open(length(head === 0xde ? 2 : 4) * 2);
    if (at > bytes.length) throw new RangeError('the bytes end inside a value');
    while (pending.length > 0 && pending.at(-1) === 0) pending.pop();
  } while (pending.length > 0);
}

const SIZE = [1, 2, 4] as const;
// float32, float64, uint8 to uint64, int8 to int64
const NUMBER_BYTES = [4, 8, 1, 2, 4, 8, 1, 2, 4, 8];
