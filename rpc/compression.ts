/** A way of making messages smaller, by its name in `grpc-encoding`. */
export type CompressionName = 'identity' | 'gzip';

const leftAsTheyAre = new WeakSet<object>();

/**
 * Marks a message to be sent as it is where its call compresses: one that is small, or compressed already, or that
 * has a secret beside what an attacker can choose (as in the attack CRIME). Works for requests and for replies, in
 * streams for each by itself: `yield uncompressed(photo)`.
 * @returns the same message; the mark stays with it
 */
export function uncompressed<T extends object>(message: T): T {
  leftAsTheyAre.add(message);
  return message;
}

export const isUncompressed = (message: unknown): boolean =>
  typeof message === 'object' && message !== null && leftAsTheyAre.has(message);
