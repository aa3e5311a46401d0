import { aligned, type Cells, markdownTable } from '../table.js';
import { kinds } from './kinds.js';
import type { Machine } from './machine.js';
import type { Memory, Results, Row, Start } from './results.js';
import { BASELINE, OURS, OURS_FIXED } from './stacks.js';

/** The results as a person reads them in a terminal. */
export function table(results: Results): string {
  return tables(results)
    .map(({ title, head, rows }) => `\n${title}\n${aligned([head, ...rows])}`)
    .concat('\nLeft out', ...skippedLines(results))
    .join('\n');
}

/** bench/results.md */
export function markdown(machine: Machine, results: Results): string {
  const { cpu, cores, memoryGiB, node, platform, date, command, rounds, ms, versions } = machine;
  const sections = tables(results).map(({ title, note, head, rows }) => {
    return `## ${title}\n\n${note}\n\n${markdownTable([head, ...rows])}`;
  });
  return `# Lictor beside others

Written by \`${command}\` on ${date}.

- Machine: ${cpu}, ${cores} cores, ${memoryGiB} GiB, ${platform}, Node.js ${node}; client and server on loopback.
- Versions: ${Object.entries(versions)
    .map(([name, version]) => `${name} ${version}`)
    .join(', ')}.
- Each figure is the median of ${rounds} round${rounds === 1 ? '' : 's'} of ${ms} ms, after one to warm up. All stacks run in turn within each
  round, with client and server in processes of their own. CPU is that of the whole process, garbage collection included.
- "lictor h2" picks a node from a list watched in Consul; "interceptors" are two that do nothing on each side. Lictor,
  grpc-js, connect-node and Moleculer watch over a time-out of 10 s; the others have none.

![calls per second and CPU per call](results.svg)

${sections.join('\n\n')}

## Ratios

${ratios(results)
  .trim()
  .split('\n')
  .map((line) => `- ${line}`)
  .join('\n')}

## What was left out

${skippedLines(results)
  .map((line) => `- ${line}`)
  .join('\n')}
`;
}

/** Lictor against plain grpc-js, and against itself. */
export function ratios({ rows, starts }: Results): string {
  const lines: string[] = [];
  const find = (stack: string, { kind, inFlight }: { kind: string; inFlight: number }) =>
    rows.find((row) => row.stack === stack && row.kind === kind && row.inFlight === inFlight);
  const times = (ours: number | null, theirs: number | null) =>
    ours === null || theirs === null ? '—' : `${(ours / theirs).toFixed(2)} x`;
  for (const { name: kind, inFlight } of kinds) {
    const theirs = find(BASELINE, { kind, inFlight });
    const ours = find(OURS, { kind, inFlight }) ?? find(OURS_FIXED, { kind, inFlight });
    if (!ours || !theirs) continue;
    const cpu =
      ours.clientCpuUs === null
        ? `${times(ours.serverCpuUs, theirs.serverCpuUs)} the server's CPU`
        : `${times(ours.clientCpuUs, theirs.clientCpuUs)} the client's CPU, ${times(ours.serverCpuUs, theirs.serverCpuUs)} the server's`;
    const latency = inFlight === 1 ? `, ${times(ours.p50Us, theirs.p50Us)} the latency (p50)` : '';
    lines.push(
      `${title({ kind, inFlight })}, ${ours.stack} to ${BASELINE}: ${times(ours.callsPerSecond, theirs.callsPerSecond)} the rate, ${cpu}${latency}`,
    );
  }
  for (const stack of [OURS, OURS_FIXED, BASELINE]) {
    const row = find(stack, { kind: 'unary', inFlight: 100 });
    if (row) lines.push(`p99 / p50 at 100 in flight, ${stack}: ${times(row.p99Us, row.p50Us)}`);
  }
  const start = (stack: string) => starts.find((row) => row.stack === stack)?.coldStartMs ?? null;
  if (starts.length > 0)
    lines.push(`cold start, ${OURS} to ${BASELINE}: ${times(start(OURS), start(BASELINE))}`);
  return `\n${lines.join('\n')}`;
}

const NOTE_CPU = 'CPU in microseconds of the process per call, or per message of a stream.';

function tables({ rows, starts, memory }: Results) {
  const sections: { title: string; note: string; head: Cells; rows: Cells[] }[] = [];
  for (const { name: kind, inFlight, unit, load } of kinds) {
    const of = rows.filter((row) => row.kind === kind && row.inFlight === inFlight);
    if (of.length === 0) continue;
    const note =
      load === 'h2load'
        ? `The client is h2load, with ten connections of ten calls each. ${NOTE_CPU}`
        : NOTE_CPU;
    const head = ['stack', `${unit}/s`, 'p50 µs', 'p99 µs', 'client CPU µs', 'server CPU µs'];
    sections.push({ title: title({ kind, inFlight }), note, head, rows: of.map(rowCells) });
  }
  if (starts.length > 0) {
    sections.push({
      title: 'Cold start',
      note: 'From the start of the client process to its first reply; the first call connects.',
      head: ['stack', 'cold start ms', 'of that the first call ms'],
      rows: starts.map(startCells),
    });
  }
  if (memory.length > 0) {
    sections.push({
      title: 'Memory',
      note: 'KiB that one more idle connection, or open stream, takes: the heap with its buffers, and resident memory (rough).',
      head: ['stack', 'per', 'client heap', 'server heap', 'client resident', 'server resident'],
      rows: memory.map(memoryCells),
    });
  }
  return sections;
}

export const title = ({ kind, inFlight }: { kind: string; inFlight: number }) =>
  `${kind[0]!.toUpperCase()}${kind.slice(1)}, ${inFlight.toLocaleString('en')} in flight`;

const rowCells = ({ stack, callsPerSecond, p50Us, p99Us, clientCpuUs, serverCpuUs }: Row): Cells => [
  stack,
  ...[callsPerSecond, p50Us, p99Us, clientCpuUs, serverCpuUs].map(number),
];
const startCells = ({ stack, coldStartMs, firstCallMs }: Start): Cells => [
  stack,
  number(coldStartMs),
  number(firstCallMs),
];
const memoryCells = (row: Memory): Cells => [
  row.stack,
  row.per,
  ...[row.clientKiB, row.serverKiB, row.clientResidentKiB, row.serverResidentKiB].map(number),
];
const number = (value: number | null) => (value === null ? '—' : value.toLocaleString('en'));

export const skippedLines = ({ skipped }: Pick<Results, 'skipped'>): string[] => {
  const stacksOf = new Map<string, Set<string>>();
  for (const { stack, kind, why } of skipped) {
    const what = `no "${kind}", ${why}`;
    stacksOf.set(what, (stacksOf.get(what) ?? new Set()).add(stack));
  }
  return [...stacksOf].map(([what, stacks]) => `${[...stacks].join(' and ')}: ${what}`);
};
