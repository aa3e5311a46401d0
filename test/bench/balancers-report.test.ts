import assert from 'node:assert/strict';
import { test } from 'node:test';
import { figures } from '../../bench/balancers/figures.js';
import { html } from '../../bench/balancers/html.js';
import { markdown, text } from '../../bench/balancers/markdown.js';
import type { Results, Simulated } from '../../bench/balancers/results.js';
import { sections } from '../../bench/balancers/sections.js';
import { isKeyed, names } from '../../bench/balancers/subjects.js';
import type { Machine } from '../../bench/calls/machine.js';

const outcome = {
  p50Ms: 10,
  p99Ms: 40,
  p999Ms: 50,
  errors: 0.001,
  maxOverMean: 1.1,
  illShare: 0.01,
  hits: null,
  calls: 1,
};
const simulated = (scenario: string): Simulated => ({
  scenario,
  story: 'What happens <here> & there.',
  outcomes: Object.fromEntries(names.map((name) => [name, outcome])) as Simulated['outcomes'],
});
const good: Results = {
  seed: 1,
  costs: names.map((balancer) => ({
    balancer,
    like: null,
    isKeyed: isKeyed(balancer),
    pickNs: { 3: 20, 100: 30, 10000: 33 },
    rebuildMs: { 3: 0.001, 100: 0.02, 10000: 5 },
  })),
  fairness: names.map((balancer) => ({
    balancer,
    equal: { maxOverMean: 1.1, chiSquare: 1 },
    weighted: null,
  })),
  moved: names.filter(isKeyed).map((balancer) => ({ balancer, left: 0.0101, joined: 0.0102 })),
  scenarios: [simulated('one slow')],
  healthyTen: simulated('ten servers'),
  slowTen: simulated('one of ten slow'),
};
const machine: Machine = {
  cpu: 'A processor',
  cores: 2,
  memoryGiB: 8,
  node: 'v20.0.0',
  platform: 'linux x64',
  date: '2026-01-02',
  command: 'npm run bench:balancers',
  rounds: 1,
  ms: 1,
  versions: { lictor: '0.1.0' },
};

test('a figure is met up to its limit, and falls short above it', () => {
  assert.deepEqual(
    figures(good).filter(({ isMet }) => !isMet),
    [],
  );
  const bad: Results = {
    ...good,
    costs: good.costs.map((cost) => ({
      ...cost,
      pickNs: { 3: 20, 100: 301, 10000: 900 },
      rebuildMs: { ...cost.rebuildMs, 10000: 50.1 },
    })),
    moved: good.moved.map((moved) => ({ ...moved, joined: 0.0121 })),
    slowTen: {
      ...good.slowTen,
      outcomes: { ...good.slowTen.outcomes, p2cEwma: { ...outcome, illShare: 0.051, p99Ms: 81 } },
    },
  };
  assert.deepEqual(
    figures(bad).filter(({ isMet }) => isMet),
    [],
  );
  assert.match(text(bad), /FALLS SHORT: a set of 10,000 nodes is rebuilt in at most 50 ms: at most 50.1 ms/);
});

test('the report is one file without scripts that loads nothing, with a chart for each section', () => {
  const page = html(machine, good);
  const outside = page.match(/<(?:script|link|img|iframe)\b|\b(?:src|href)=|url\(|@import|undefined|NaN/g);
  assert.deepEqual(outside, null);
  assert.equal(page.match(/<h2>/g)?.length, sections(good).length);
  assert.equal(page.match(/<svg /g)?.length, sections(good).length);
  assert.match(page, /What happens &lt;here&gt; &amp; there\./);
});

test('the results in Markdown have a row for each balancer in each table', () => {
  const page = markdown(machine, good);
  assert.match(page, /^- met: p2cEwma sends one of 10 nodes/m);
  assert.equal(page.match(/^\| p2cEwma /gm)?.length, sections(good).length - 2);
});
