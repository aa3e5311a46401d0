import type { Machine } from '../calls/machine.js';
import { COLORS, chart } from './chart.js';
import { type Figure, figures } from './figures.js';
import { versions } from './markdown.js';
import type { Results } from './results.js';
import { type Section, SIMULATION, sections } from './sections.js';

/** bench/balancers/report.html: one file, without scripts, that loads nothing. */
export const html = (machine: Machine, results: Results): string => `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Lictor’s balancers</title>
<style>${STYLE}</style>
<h1>Lictor’s balancers</h1>
<p>${escaped(SIMULATION)} Seed ${results.seed}.</p>
<p class="about">${escaped(`Written by ${machine.command} on ${machine.date}: ${machine.cores} cores of ${machine.cpu}, Node.js ${machine.node}, ${versions(machine)}. The same in numbers: results.md.`)}</p>
<p>${legend()}</p>
<table>
<tr><th><th>demanded<th>measured
${figures(results).map(line).join('\n')}
</table>
${sections(results).map(figure).join('\n')}
</html>
`;

const line = ({ demanded, measured, isMet }: Figure): string =>
  `<tr class="${isMet ? 'met' : 'short'}"><td>${isMet ? '✓ met' : '✗ falls short'}<td>${escaped(demanded)}<td>${escaped(measured)}`;

const figure = (section: Section): string => `<section>
<h2>${escaped(section.headline)}</h2>
<p>${escaped(section.story)}</p>
${chart(section)}
</section>`;

const legend = (): string =>
  (
    [
      ['default', 'the default'],
      ['keyless', 'looks at no key'],
      ['keyed', 'goes by the call’s key'],
      ['other', 'another package of npm'],
    ] as const
  )
    .map(([kind, what]) => `<span class="key"><i style="background:${COLORS[kind]}"></i>${what}</span>`)
    .join('');

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

const STYLE = `
body { font: 15px/1.5 system-ui, 'DejaVu Sans', sans-serif; color: #24292f; background: #fff; max-width: 1160px; margin: 24px auto; padding: 0 16px; }
h1 { font-size: 26px; margin: 0 0 8px; }
h2 { font-size: 17px; line-height: 1.35; margin: 0 0 4px; }
p { margin: 0 0 10px; max-width: 900px; }
.about, section p { color: #57606a; font-size: 13px; }
section { margin-top: 36px; padding-top: 20px; border-top: 1px solid #d0d7de; }
svg { display: block; max-width: 100%; height: auto; }
table { border-collapse: collapse; margin: 16px 0; font-size: 14px; }
th, td { text-align: left; vertical-align: top; padding: 4px 14px 4px 0; border-bottom: 1px solid #d0d7de; }
td:first-child { white-space: nowrap; font-weight: 600; }
.met td:first-child { color: #1a7f37; }
.short td:first-child { color: #cf222e; }
.key { margin-right: 20px; white-space: nowrap; }
.key i { display: inline-block; width: 14px; height: 14px; margin-right: 6px; vertical-align: -2px; border-radius: 2px; }
`;
