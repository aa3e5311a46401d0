export interface Drawn {
  readonly id: string;
  readonly parentId: string | undefined;
  readonly name: string;
  readonly tags: Readonly<Record<string, unknown>>;
  /** What was logged to the span. */
  readonly notes: readonly string[];
  readonly startMs: number;
  /** Undefined while it runs. */
  readonly endMs: number | undefined;
}

const TREE_WIDTH = 46;
const BAR_WIDTH = 32;

/** Spans as an indented tree, a line each, with a bar that shows when each ran. */
export function drawTree(spans: readonly Drawn[]): string {
  const begin = Math.min(...spans.map(({ startMs }) => startMs));
  const end = Math.max(...spans.map(({ startMs, endMs }) => endMs ?? startMs));
  const column = (ms: number) => Math.round(((ms - begin) / (end - begin || 1)) * (BAR_WIDTH - 1));

  const line = (span: Drawn, branch: string): string => {
    const { name, tags, notes, startMs, endMs = end } = span;
    const label = `${branch}${tags['span.kind']} ${name}`.padEnd(TREE_WIDTH);
    const from = column(startMs);
    const bar = `${' '.repeat(from)}${'━'.repeat(column(endMs) - from + 1)}`.padEnd(BAR_WIDTH);
    const took = `${(endMs - startMs).toFixed(1)} ms`.padStart(8);
    return [`  ${label} ${bar} ${took}  ${tags['grpc.status']}`, ...notes].join('  · ');
  };

  const draw = (span: Drawn, branch: string, indent: string): string[] => {
    const children = spans.filter(({ parentId }) => parentId === span.id);
    return [
      line(span, branch),
      ...children.flatMap((child, i) => {
        const isLast = i === children.length - 1;
        return draw(child, `${indent}${isLast ? '└─ ' : '├─ '}`, `${indent}${isLast ? '   ' : '│  '}`);
      }),
    ];
  };

  const ids = new Set(spans.map(({ id }) => id));
  const roots = spans.filter(({ parentId }) => parentId === undefined || !ids.has(parentId));
  return `${roots.flatMap((root) => draw(root, '', '')).join('\n')}\n`;
}
