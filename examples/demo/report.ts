import { bar } from './bar.js';
import { type Counts, PHASES, type Phase, sum, type Tally } from './tally.js';

/** One server of the demo. */
export type Role = {
  readonly name: string;
  readonly address: string;
  readonly role: 'stayed' | 'killed' | 'joined';
};

const BAR = 8;
const COLUMN = BAR + 9;
const format = (calls: number) => calls.toLocaleString('en-US');

/** What a person is told at the end: calls, failures, and who answered how many. */
export function summary({ calls, failures, answers }: Tally, servers: readonly Role[]): readonly string[] {
  const killed = servers.find(({ role }) => role === 'killed')?.name;
  const joined = servers.find(({ role }) => role === 'joined')?.name;
  const statuses = Object.entries(failures).map(([status, count]) => `${count} ${status}`);
  const why =
    sum(failures) > 0 ? `: ${statuses.join(', ')}, on the way to ${killed} or back when it died` : '';
  const titles: Readonly<Record<Phase, string>> = {
    before: 'at first',
    killed: `${killed} killed`,
    joined: `${joined} joined`,
  };
  const cells = (of: (phase: Phase) => string) => PHASES.map((phase) => of(phase).padEnd(COLUMN)).join('');
  const row = ({ name, address, role }: Role) => {
    const cell = (phase: Phase) => {
      if (role === 'joined' && phase !== 'joined') return '';
      if (role === 'killed' && phase !== 'before') return phase === 'killed' ? '✗' : '';
      return bars(answers[phase], name);
    };
    return `  ${name} ${address.padEnd(18)}${cells(cell)}${role === 'stayed' ? '' : role}`.trimEnd();
  };
  return [
    `${format(calls)} calls, ${sum(failures)} failed${why}`,
    '',
    `  ${'answered by'.padEnd(20)}${cells((phase) => titles[phase])}`.trimEnd(),
    ...servers.map(row),
  ];
}

function bars(counts: Counts, name: string): string {
  const count = counts[name] ?? 0;
  return `${bar(count / Math.max(...Object.values(counts), 1), BAR)} ${format(count).padStart(5)}`;
}

/** What went otherwise than it should, if anything. */
export function problems(
  { failures, answers, underWay = 0 }: Tally,
  servers: readonly Role[],
): readonly string[] {
  const found: string[] = [];
  const failed = sum(failures);
  if (failed > underWay) {
    found.push(`${failed} calls failed, but only ${underWay} were under way on the killed server`);
  }
  for (const status of Object.keys(failures)) {
    if (status !== 'UNAVAILABLE') found.push(`calls failed with ${status}, which no killed server explains`);
  }
  for (const { name, role } of servers) {
    for (const phase of PHASES) {
      const wanted = role === 'killed' ? phase === 'before' : role === 'stayed' || phase === 'joined';
      const answered = (answers[phase][name] ?? 0) > 0;
      if (wanted && !answered) found.push(`${name} answered no call in the phase '${phase}'`);
      if (!wanted && answered) found.push(`${name} answered in the phase '${phase}', when it was not there`);
    }
  }
  return found;
}
