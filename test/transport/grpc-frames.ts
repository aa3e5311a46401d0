export const PREFIX_BYTES = 5;

/** gRPC's messages as they stand in a body: a byte of flags, four of length. */
export function readFrames(body: Buffer): { flag: number; payload: Buffer }[] {
  const frames: { flag: number; payload: Buffer }[] = [];
  for (let at = 0; at < body.length; ) {
    const end = at + PREFIX_BYTES + body.readUInt32BE(at + 1);
    frames.push({ flag: body[at]!, payload: body.subarray(at + PREFIX_BYTES, end) });
    at = end;
  }
  return frames;
}
