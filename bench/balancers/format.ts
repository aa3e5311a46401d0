/** Three digits at most: 0.26, 4.03, 61.2, 1,234. */
export function number(value: number): string {
  if (value === 0) return '0';
  if (value >= 99.95) return Math.round(value).toLocaleString('en');
  return String(Number(value.toPrecision(value >= 1 ? 3 : 2)));
}

export const percent = (share: number): string => `${number(share * 100)} %`;
export const times = (ratio: number): string => `${number(ratio)} x`;

/** From the least to the greatest, in what `show` makes of them. */
export function range(values: readonly number[], show: (value: number) => string): string {
  const [least, most] = [show(Math.min(...values)), show(Math.max(...values))];
  return least === most ? least : `${least} to ${most}`;
}
