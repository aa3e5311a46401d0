import type { Machine } from '../calls/machine.js';
import { aligned, type Cells, markdownTable } from '../table.js';
import { type Figure, figures } from './figures.js';
import type { Results } from './results.js';
import { type Section, SIMULATION, sections } from './sections.js';

/** The results as a person reads them in a terminal. */
export const text = (results: Results): string =>
  sections(results)
    .map((section) => `\n${section.headline}\n${aligned(cells(section))}`)
    .concat('', ...figures(results).map(verdict))
    .join('\n');

/** bench/balancers/results.md */
export const markdown = (machine: Machine, results: Results): string => `# Balancers

Written by \`${machine.command}\` on ${machine.date}. [report.html](report.html) shows the same in pictures.

- Machine: ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.platform}, Node.js ${machine.node}.
- Versions: ${versions(machine)}.
- A pick’s cost is the least of ${machine.rounds} rounds of ${machine.ms} ms, since others use the machine too; so is that of a rebuild.
- Simulations: ${SIMULATION} Seed ${results.seed}.

## What is demanded

${figures(results)
  .map((figure) => `- ${verdict(figure)}`)
  .join('\n')}

${sections(results)
  .map((section) => `## ${section.headline}\n\n${section.story}\n\n${markdownTable(cells(section))}`)
  .join('\n\n')}
`;

const verdict = ({ demanded, measured, isMet }: Figure): string =>
  `${isMet ? 'met' : 'FALLS SHORT'}: ${demanded}: ${measured}`;

export const versions = (machine: Machine): string =>
  Object.entries(machine.versions)
    .map(([name, version]) => `${name} ${version}`)
    .join(', ');

const cells = ({ rows, columns }: Section): Cells[] => [
  ['', ...columns.map(({ title }) => title)],
  ...rows.map(({ label }, i) => [
    label,
    ...columns.map(({ values, show }) => (values[i] == null ? '—' : show(values[i]))),
  ]),
];
