import { bar } from './bar.js';
import { PHASES, sum, type Tally } from './tally.js';

const WINDOW = 10; // Tallies come ten times a second.

/** The one line that shows how it goes: calls of the last second, failures so far, and who answers. */
export function createLiveLine(): (
  tally: Tally,
  servers: readonly string[],
  killed: string | undefined,
) => string {
  const recent: Tally[] = [];
  return (tally, servers, killed) => {
    recent.push(tally);
    const old = recent.length > WINDOW ? recent.shift() : undefined;
    const answered = (of: Tally | undefined, name: string) =>
      of ? PHASES.reduce((calls, phase) => calls + (of.answers[phase][name] ?? 0), 0) : 0;
    const rates = servers.map((name) => answered(tally, name) - answered(old, name));
    const most = Math.max(...rates, 1);
    const each = servers.map((name, i) => {
      const rate = rates[i] ?? 0;
      return name === killed
        ? `${name} killed  `
        : `${name} ${bar(rate / most, 4)} ${String(rate).padStart(3)}`;
    });
    const total = rates.reduce((a, b) => a + b, 0);
    const failed = sum(tally.failures);
    return `${total.toLocaleString('en-US').padStart(5)}/s  ${failed} failed  ${each.join('  ')}`;
  };
}
