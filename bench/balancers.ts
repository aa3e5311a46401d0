import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from '../scripts/root.js';
import { seeded } from '../test/seeded.js';
import { costs } from './balancers/cost.js';
import { fairness, movedKeys } from './balancers/fairness.js';
import { html } from './balancers/html.js';
import { markdown, text } from './balancers/markdown.js';
import { others } from './balancers/others.js';
import type { Results, Simulated } from './balancers/results.js';
import { scenarios, ten } from './balancers/scenarios.js';
import { type Scenario, simulate } from './balancers/simulation.js';
import { names } from './balancers/subjects.js';
import { machine } from './calls/machine.js';

// What the balancers cost and how they share calls: `npm run bench:balancers -- --help`.

const HELP = `npm run bench:balancers -- [options]
  --rounds N  of each pick and rebuild, whose least counts (10)
  --ms N      of each round of picks (40)
  --seed N    of the simulations (1)
  --quick     two rounds of 10 ms
  --json      one line of JSON instead of tables
  --write     also write bench/balancers/results.md and bench/balancers/report.html`;

const { values: args } = parseArgs({
  options: {
    rounds: { type: 'string' },
    ms: { type: 'string' },
    seed: { type: 'string' },
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (args.help) {
  console.log(HELP);
  process.exit();
}
const effort = {
  rounds: wholeNumber('rounds', args.quick ? 2 : 10),
  ms: wholeNumber('ms', args.quick ? 10 : 40),
};
const seed = wholeNumber('seed', 1);
const say = (line: string) => process.stderr.write(`${line}\n`);

const results: Results = {
  seed,
  costs: costs(effort, say),
  fairness: fairness(seeded(seed)),
  moved: movedKeys(),
  scenarios: scenarios.map(ofEach),
  healthyTen: ofEach(ten.healthy),
  slowTen: ofEach(ten.oneSlow),
};
const packages = [...new Set(others.map((other) => other.package))];
const about = machine(
  `npm run bench:balancers -- ${process.argv.slice(2).join(' ')}`.trim(),
  effort,
  packages,
);
if (args.json) console.log(JSON.stringify({ machine: about, ...results }));
else console.log(text(results));
if (args.write) {
  const folder = join(root, 'bench', 'balancers');
  await writeFile(join(folder, 'results.md'), markdown(about, results));
  await writeFile(join(folder, 'report.html'), html(about, results));
}

function ofEach(scenario: Scenario): Simulated {
  say(`simulation: ${scenario.name}`);
  const outcomes = Object.fromEntries(names.map((name) => [name, simulate(scenario, name, seeded(seed))]));
  return { scenario: scenario.name, story: scenario.story, outcomes: outcomes as Simulated['outcomes'] };
}

function wholeNumber(name: 'rounds' | 'ms' | 'seed', normally: number): number {
  const value = Number(args[name] ?? normally);
  if (Number.isInteger(value) && value >= 1) return value;
  throw new RangeError(`--${name}: a whole number from 1, got ${args[name]}`);
}
