import type pb from 'protobufjs';
import { protobufjs } from './protobufjs.js';

/** Messages are written one behind the other into a block of this size; like Node's own pool, but written in place. */
const BLOCK_BYTES = 16_384;
const MIN_LEFT_BYTES = 512;

let spare: pb.Writer | undefined;

/**
 * The bytes of a message, which stay as they are. protobufjs by itself takes three small buffers for each message
 * and copies it twice; this copies nothing that fits the block, and a large one once.
 */
export function written(type: pb.Type, message: Record<string, unknown>): Uint8Array {
  // Taken away while it is in use: a getter of the message may encode another one.
  const writer = spare ?? freshWriter();
  spare = undefined;
  const start = writer.pos;
  try {
    type.encode(message, writer);
  } catch (error) {
    spare = freshWriter();
    throw error;
  }
  const bytes = writer.buf.subarray(start, writer.pos);
  // A block that a large message made grow is that message's own.
  if (writer.buf.length === BLOCK_BYTES && BLOCK_BYTES - writer.pos >= MIN_LEFT_BYTES) spare = writer;
  return bytes;
}

function freshWriter(): pb.Writer {
  const writer = protobufjs().Writer.create();
  writer.buf = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  return writer;
}
