import { findCycles, pathOf } from './cycles.js';
import { type PackageFile, readEdges } from './graph.js';
import { judge } from './judge.js';
import type { Layer, Table } from './table.js';

/** An import that the architecture forbids. */
export type Violation = {
  readonly file: string;
  readonly line: number;
  /** What is wrong, and by which rule. */
  readonly rule: string;
  /** What to do about it. */
  readonly remedy: string;
};

/**
 * Checks the imports of a repository. Type-only and dynamic imports count like any other.
 * @param files sources by path from the root, with forward slashes
 */
export function checkImports(
  files: ReadonlyMap<string, string>,
  own: PackageFile,
  table: Table,
): readonly Violation[] {
  const violations: Violation[] = [];
  const homeless = new Set<string>();
  const edges = readEdges(files, own);
  for (const file of files.keys()) {
    if (layerOf(file, table)) continue;
    homeless.add(file);
    violations.push({
      file,
      line: 1,
      rule: 'the file belongs to no layer of the table',
      remedy: 'move it into a folder of the table, or add its folder to scripts/imports/table.ts',
    });
  }
  for (const edge of edges) {
    if (homeless.has(edge.from)) continue;
    const finding = judge(edge, layerOf(edge.from, table)!, own, table);
    if (finding) violations.push({ file: edge.from, line: edge.line, ...finding });
  }
  for (const cycle of findCycles(edges)) {
    const first = cycle[0]!;
    violations.push({
      file: first.from,
      line: first.line,
      rule: `import cycle: ${[...cycle.map((edge) => edge.from), pathOf(cycle.at(-1)!)].join(' -> ')}`,
      remedy:
        'move what both sides need into a file of its own that imports neither (type imports count too)',
    });
  }
  return violations.sort((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : a.line - b.line));
}

const layerOf = (path: string, table: Table): Layer | undefined =>
  table.layers.find(({ files }) => files.test(path));
