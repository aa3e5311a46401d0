import { aligned, type Cells } from '../table.js';
import type { Comparison } from './against.js';
import { skippedLines, title } from './report.js';
import type { Memory } from './results.js';

/** The comparison as a person reads it in a terminal. */
export function againstTable({ rows, memory, skipped }: Comparison): string {
  const parts: string[] = [];
  if (rows.length > 0) {
    const head = [
      'CPU per call or message',
      'side',
      'old µs',
      'new µs',
      'new to old',
      '±',
      'A/A spread',
      '',
      'old/s',
      'new/s',
    ];
    const cells = rows.map(
      (row): Cells => [
        `${row.stack}: ${title(row)}`,
        row.side,
        row.oldUs.toFixed(2),
        row.newUs.toFixed(2),
        percent(row.difference),
        `${(100 * row.error).toFixed(2)} %`,
        `${(100 * row.spread).toFixed(2)} %`,
        row.verdict,
        ...[row.oldPerSecond, row.newPerSecond].map((rate) => Math.round(rate).toLocaleString('en')),
      ],
    );
    parts.push(aligned([head, ...cells]));
    const of = (verdict: string) => rows.filter((row) => row.verdict === verdict).length;
    parts.push(`${of('slower')} slower, ${of('same')} the same, ${of('faster')} faster`);
  }
  if (memory.length > 0) {
    const head = ['KiB of heap per', 'side', 'old', 'new', 'new to old'];
    const cells = memory.flatMap((pair) =>
      (['server', 'client'] as const).map((side): Cells => {
        const [before, after] = [heap(pair.old, side), heap(pair.new, side)];
        return [
          `${pair.new.stack}: ${pair.new.per}`,
          side,
          before.toFixed(1),
          after.toFixed(1),
          percent(after / before - 1),
        ];
      }),
    );
    parts.push(aligned([head, ...cells]));
  }
  if (skipped.length > 0) parts.push(['Left out', ...skippedLines({ skipped })].join('\n'));
  return parts.join('\n\n');
}

const heap = (memory: Memory, side: 'server' | 'client') =>
  side === 'server' ? memory.serverKiB : memory.clientKiB;

const percent = (share: number) => `${share < 0 ? '' : '+'}${(100 * share).toFixed(2)} %`;
