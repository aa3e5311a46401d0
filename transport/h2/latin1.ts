/** Up to here joining the characters is faster than the call of Buffer.toString. */
const JOINED_LENGTH = 8;

/** The bytes from `start` to `end` as text, one character a byte: none is lost, whatever they mean. */
export function latin1(bytes: Buffer, start: number, end: number): string {
  if (end - start > JOINED_LENGTH) return bytes.toString('latin1', start, end);
  let text = '';
  for (let at = start; at < end; at++) text += String.fromCharCode(bytes[at]!);
  return text;
}
