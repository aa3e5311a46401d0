/** A bar for a share between 0 and 1, filled up with spaces to `width`. */
export const bar = (share: number, width: number): string =>
  '█'.repeat(Math.round(share * width)).padEnd(width);
