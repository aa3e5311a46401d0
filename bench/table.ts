/** One line of a table; the first cell is text, the others are numbers. */
export type Cells = readonly string[];

/** For a terminal. */
export const aligned = (rows: readonly Cells[]): string =>
  padded(rows)
    .map((cells) => cells.join('  '))
    .join('\n');

/** For a .md; the first line is the head. */
export function markdownTable(rows: readonly Cells[]): string {
  const [head, ...others] = padded(rows);
  const rule = head!.map(({ length }, i) => (i === 0 ? '-'.repeat(length) : `${'-'.repeat(length - 1)}:`));
  return [head!, rule, ...others].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** Cells of one column are of one length. */
function padded(rows: readonly Cells[]): string[][] {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((cells) => cells[i]!.length)));
  const pad = (cell: string, i: number) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!));
  return rows.map((cells) => cells.map(pad));
}
