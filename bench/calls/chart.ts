import type { Machine } from './machine.js';
import { title } from './report.js';
import { type Results, type Row, rounded } from './results.js';
import { BASELINE, OURS } from './stacks.js';

const WIDTH = 1_120;
const LEFT = 190;
const RIGHT = 700;
/** The longest bar; its figure stands behind it. */
const BARS = 300;
const BAR = 16;
const ROW = 23;
const SHOWN = [
  { kind: 'unary', inFlight: 1 },
  { kind: 'unary', inFlight: 100 },
  { kind: 'unary', inFlight: 1_000 },
  { kind: 'server alone', inFlight: 100 },
  { kind: 'server stream', inFlight: 10 },
  { kind: 'bidi', inFlight: 10 },
];
const GREY = '#57606a';
/** Keeps figures readable on the lines behind them. */
const HALO = 'paint-order="stroke" stroke="#fff" stroke-width="3"';
/** The client's part and the server's. */
const CPU = { ours: ['#1f6feb', '#8db8f7'], others: ['#848d97', '#ced4da'] } as const;

/** bench/results.svg: for each kind the rate on the left and CPU per call on the right. */
export function chart(machine: Machine, { rows }: Results): string {
  const parts: string[] = [];
  let y = 96;
  for (const wanted of SHOWN) {
    const of = rows.filter((row) => row.kind === wanted.kind && row.inFlight === wanted.inFlight);
    if (of.length === 0) continue;
    const unit = of[0]!.p50Us === null && of[0]!.clientCpuUs !== null ? 'messages' : 'calls';
    parts.push(panel(of, y, title(wanted), unit));
    y += of.length * ROW + 76;
  }
  const { cpu, cores, node, date, rounds, ms } = machine;
  const about = `${date}, ${cores} cores of ${cpu}, Node.js ${node}, medians over ${rounds} x ${ms} ms`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" width="${WIDTH}" height="${y}" font-family="system-ui, 'DejaVu Sans', sans-serif" font-size="12">
<title>Calls per second and CPU per call of Lictor and others</title>
<rect width="${WIDTH}" height="${y}" fill="#fff"/>
${text(24, 36, 'Lictor beside others', 'font-size="20" font-weight="600"')}
${text(24, 58, escaped(about), `fill="${GREY}"`)}
${legend()}
${parts.join('\n')}
</svg>
`;
}

function panel(rows: readonly Row[], top: number, name: string, unit: string): string {
  const rates = rows.map((row) => row.callsPerSecond);
  const decades = decadesAround(Math.min(...rates), Math.max(...rates));
  const rate = (value: number) => rounded((Math.log10(value / decades[0]!) / (decades.length - 1)) * BARS);
  const mostCpu = Math.max(...rows.map((row) => (row.clientCpuUs ?? 0) + row.serverCpuUs));
  const cpu = (value: number) => rounded((value / mostCpu) * BARS);
  const baseline = rows.find((row) => row.stack === BASELINE)?.callsPerSecond;
  const [first, last] = [top + 30, top + 30 + rows.length * ROW];
  const grid = decades.map((decade) => {
    const x = LEFT + rate(decade);
    const line = `<line x1="${x}" y1="${first - 4}" x2="${x}" y2="${last}" stroke="#d8dee4"/>`;
    return line + text(x, last + 13, short(decade), `fill="${GREY}" font-size="10" text-anchor="middle"`);
  });
  const lines = rows.map((row, i) => {
    const y = first + i * ROW;
    const ours = row.stack.startsWith(OURS);
    const [clientColor, serverColor] = ours ? CPU.ours : CPU.others;
    const ratio = baseline ? ` · ${(row.callsPerSecond / baseline).toFixed(2)} x` : '';
    const figure = `${row.callsPerSecond.toLocaleString('en')}${ratio}`;
    const [client, server] = [cpu(row.clientCpuUs ?? 0), cpu(row.serverCpuUs)];
    const parts = row.clientCpuUs === null ? [row.serverCpuUs] : [row.clientCpuUs, row.serverCpuUs];
    return [
      text(LEFT - 10, y + 12, escaped(row.stack), `text-anchor="end"${ours ? ' font-weight="600"' : ''}`),
      bar(LEFT, y, rate(row.callsPerSecond), ours ? CPU.ours[0] : CPU.others[row.stack === BASELINE ? 0 : 1]),
      text(LEFT + rate(row.callsPerSecond) + 6, y + 12, figure, HALO),
      bar(RIGHT, y, client, clientColor),
      bar(RIGHT + client, y, server, serverColor),
      text(RIGHT + client + server + 6, y + 12, parts.map((part) => part.toLocaleString('en')).join(' + ')),
    ].join('\n');
  });
  return [
    text(24, top, escaped(name), 'font-size="14" font-weight="600"'),
    text(LEFT, top + 20, `${unit} per second (log scale) · ratio to ${BASELINE}`, `fill="${GREY}"`),
    text(RIGHT, top + 20, `CPU µs per ${unit === 'calls' ? 'call' : 'message'}`, `fill="${GREY}"`),
    ...grid,
    ...lines,
  ].join('\n');
}

/** The powers of ten from below `min` to above `max`. */
function decadesAround(min: number, max: number): number[] {
  const [from, to] = [Math.ceil(Math.log10(min)) - 1, Math.ceil(Math.log10(max))];
  return Array.from({ length: to - from + 1 }, (_, i) => 10 ** (from + i));
}

const short = (decade: number) =>
  decade >= 1e6 ? `${decade / 1e6}M` : decade >= 1e3 ? `${decade / 1e3}k` : `${decade}`;

function legend(): string {
  const item = (x: number, color: string, label: string) => bar(x, 24, BAR, color) + text(x + 22, 37, label);
  return [
    item(RIGHT, CPU.ours[0], ''),
    item(RIGHT + 20, CPU.others[0], "client's CPU"),
    item(RIGHT + 150, CPU.ours[1], ''),
    item(RIGHT + 170, CPU.others[1], "server's CPU"),
  ].join('\n');
}

const bar = (x: number, y: number, width: number, fill: string) =>
  `<rect x="${x}" y="${y}" width="${width}" height="${BAR}" rx="2" fill="${fill}"/>`;
const text = (x: number, y: number, content: string, attributes = '') =>
  `<text x="${x}" y="${y}" ${attributes}>${content}</text>`;
const escaped = (value: string) => value.replace(/&/g, '&amp;').replace(/</g, '&lt;');
