import type { Edge } from './graph.js';

/** The import cycles, each as the edges around it; one shortest cycle for each file that none before has named. */
export function findCycles(edges: readonly Edge[]): readonly (readonly Edge[])[] {
  const outgoing = new Map<string, Edge[]>();
  for (const edge of edges) {
    if (edge.to.kind !== 'file' && edge.to.kind !== 'own') continue;
    outgoing.set(edge.from, [...(outgoing.get(edge.from) ?? []), edge]);
  }
  const named = new Set<string>();
  const cycles: (readonly Edge[])[] = [];
  for (const file of outgoing.keys()) {
    if (named.has(file)) continue;
    const cycle = shortestCycle(file, outgoing);
    if (!cycle) continue;
    for (const edge of cycle) named.add(edge.from);
    cycles.push(cycle);
  }
  return cycles;
}

/** Breadth first from `file` until an edge leads back to it. */
function shortestCycle(
  file: string,
  outgoing: ReadonlyMap<string, readonly Edge[]>,
): readonly Edge[] | undefined {
  const cameBy = new Map<string, Edge>();
  const queue = [file];
  for (const at of queue) {
    for (const edge of outgoing.get(at) ?? []) {
      const to = pathOf(edge);
      if (to === file) {
        const cycle = [edge];
        for (let from = edge.from; from !== file; from = cycle[0]!.from) cycle.unshift(cameBy.get(from)!);
        return cycle;
      }
      if (cameBy.has(to)) continue;
      cameBy.set(to, edge);
      queue.push(to);
    }
  }
  return undefined;
}

export const pathOf = ({ to }: Edge): string => ('path' in to ? to.path : '');
