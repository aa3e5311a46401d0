import { bar } from './bar.js';
import { sum, type Tally } from './tally.js';

/** One server of the demo. */
export type Role = {
  readonly name: string;
  readonly address: string;
  readonly role: 'stayed' | 'killed' | 'joined';
};

const WIDTH = 24;
const count = (calls: number) => calls.toLocaleString('en-US');

/** What a person is told at the end: calls, failures, and who answered how many. */
export function summary(tally: Tally, servers: readonly Role[]): readonly string[] {
  const failed = Object.entries(tally.failures).map(([status, calls]) => `${calls} ${status}`);
  const longest = Math.max(...servers.map(({ address }) => address.length));
  const { before, since } = tally;
  const cell = (counts: Readonly<Record<string, number>>, name: string) => {
    const calls = counts[name] ?? 0;
    const share = calls / Math.max(sum(counts), 1);
    return `${bar(share, WIDTH)} ${count(calls).padStart(6)} ${`${Math.round(share * 100)}%`.padStart(4)}`;
  };
  const blank = WIDTH + 12;
  const row = ({ name, address, role }: Role) => {
    const left = role === 'joined' ? 'not there yet'.padEnd(blank) : cell(before, name);
    const right = role === 'killed' ? 'killed'.padEnd(blank) : cell(since, name);
    return `  ${name}  ${address.padEnd(longest)}  ${left}  ${right}${role === 'joined' ? '  new' : ''}`.trimEnd();
  };
  return [
    `${count(tally.calls)} calls, ${count(sum(tally.failures))} failed${failed.length > 0 ? ` (${failed.join(', ')}: they were on the way to B or back when it died)` : ''}`,
    '',
    `     ${''.padEnd(longest)}  ${'before the kill'.padEnd(blank)}  since`,
    ...servers.map(row),
  ];
}

/** What went otherwise than it should, if anything. */
export function problems(tally: Tally, servers: readonly Role[]): readonly string[] {
  const found: string[] = [];
  const killed = servers.find(({ role }) => role === 'killed');
  const peak = tally.peak[killed?.address ?? ''] ?? 0;
  const failed = sum(tally.failures);
  if (failed > peak) {
    found.push(`${failed} calls failed, but no more than ${peak} were ever under way on the killed server`);
  }
  for (const status of Object.keys(tally.failures)) {
    if (status !== 'UNAVAILABLE')
      found.push(`calls failed with ${status}; a killed server explains UNAVAILABLE`);
  }
  for (const { name, role } of servers) {
    if (role !== 'joined' && !tally.before[name]) found.push(`${name} answered no call before the kill`);
    if (role !== 'killed' && !tally.since[name]) found.push(`${name} answered no call after the kill`);
  }
  return found;
}
