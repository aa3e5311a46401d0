import { type EChartsOption, init } from 'echarts';
import type { Column, Row, Section } from './sections.js';

const WIDTH = 1_160;
const LEFT = 216;
const GAP = 26;
const ROW = 21;
const TOP = 34;
/** For the words at a limit's line. */
const BOTTOM = 20;
const FONT = "system-ui, 'DejaVu Sans', sans-serif";
const INK = '#24292f';
const LIMIT = '#cf222e';

export const COLORS: Readonly<Record<Row['kind'], string>> = {
  default: '#1f6feb',
  keyless: '#8db8f7',
  keyed: '#54aeb0',
  other: '#b6bec7',
};

/** A section as bars, side by side for each column; an SVG. */
export function chart({ headline, rows, columns }: Section): string {
  const hasLimit = columns.some(({ limit }) => limit !== undefined);
  const height = TOP + rows.length * ROW + (hasLimit ? BOTTOM : 4);
  const width = (WIDTH - LEFT - GAP * columns.length) / columns.length;
  const left = (i: number) => LEFT + i * (width + GAP);
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height });
  chart.setOption({
    animation: false,
    textStyle: { fontFamily: FONT },
    title: columns.map(({ title, scale }, i) => ({
      text: scale === 'log' ? `${title} (log scale)` : title,
      left: left(i),
      top: 4,
      padding: 0,
      textStyle: {
        fontSize: 12,
        fontWeight: 'bold',
        color: INK,
        fontFamily: FONT,
      },
    })),
    grid: columns.map((_, i) => ({ left: left(i), top: TOP, width, height: rows.length * ROW })),
    xAxis: columns.map((column, i) => ({ ...axis(column), gridIndex: i, show: false })),
    yAxis: columns.map((_, i) => ({
      type: 'category',
      gridIndex: i,
      inverse: true,
      data: rows.map(({ label }) => label),
      axisTick: { show: false },
      axisLine: { lineStyle: { color: '#d0d7de' } },
      axisLabel: {
        show: i === 0,
        interval: 0,
        color: INK,
        fontSize: 12,
        formatter: (label: string, row: number) => `{${rows[row]!.kind}|${label}}`,
        rich: { default: { fontWeight: 'bold' }, keyless: {}, keyed: {}, other: { color: '#57606a' } },
      },
    })),
    series: columns.map((column, i) => bars(column, rows, i)),
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  // What is only for pointers that hover.
  return svg
    .replaceAll(/<style.*?<\/style>| (?:ecmeta_\w+|class|pointer-events)="[^"]*"/gs, '')
    .replace('<svg ', `<svg role="img" aria-label="${headline.replaceAll('"', '')}" `);
}

/** With room for the figure behind the longest bar. */
function axis({ values, limit = 0, scale = 'linear' }: Column) {
  const known = values.filter((value) => value !== null);
  const most = Math.max(...known, limit);
  if (scale === 'linear') return { type: 'value' as const, min: 0, max: (most || 1) * 1.6 };
  const least = Math.min(...known);
  const from = 10 ** Math.floor(Math.log10(least / 1.5));
  return { type: 'log' as const, min: from, startValue: from, max: most * (most / from) ** 0.6 };
}

function bars({ values, show, limit }: Column, rows: readonly Row[], index: number) {
  return {
    type: 'bar',
    z: 2,
    xAxisIndex: index,
    yAxisIndex: index,
    barWidth: ROW - 7,
    data: values.map((value, row) => ({ value, itemStyle: { color: COLORS[rows[row]!.kind] } })),
    label: {
      show: true,
      position: 'right',
      distance: 4,
      color: INK,
      fontSize: 11,
      textBorderColor: '#fff',
      textBorderWidth: 3,
      formatter: ({ dataIndex }: { dataIndex: number }) =>
        values[dataIndex] == null ? '' : show(values[dataIndex]),
    },
    ...(limit !== undefined && {
      markLine: {
        silent: true,
        precision: 6,
        // Behind the figures.
        z: 1,
        symbol: 'none',
        lineStyle: { color: LIMIT, type: 'dashed' },
        label: {
          formatter: `at most ${show(limit)}`,
          position: 'end',
          color: LIMIT,
          fontSize: 11,
          distance: 2,
        },
        data: [{ xAxis: limit }],
      },
    }),
  } satisfies NonNullable<EChartsOption['series']>;
}
