import { cases } from './cases/all.js';
import { type Case, NOT_POSSIBLE, notPossible, type Peer } from './cases/case.js';

const TIMEOUT_MS = 20_000;

/**
 * Runs cases one after the other and prints a line for each: `large_unary: passed`, `...: FAILED: why` or
 * `...: not possible: why`.
 * @param name a case by its name, or `all`
 * @param cannot why the client cannot run a case; undefined when it can
 * @returns how many failed
 * @throws RangeError for a name that is not known
 */
export async function runCases(
  peer: Peer,
  name: string,
  cannot: (name: string) => string | undefined = () => undefined,
): Promise<number> {
  const chosen = Object.entries(cases).filter(([known]) => name === 'all' || name === known);
  if (chosen.length === 0)
    throw new RangeError(
      `case ${JSON.stringify(name)}: wanted all, or one of ${Object.keys(cases).join(', ')}`,
    );
  let failures = 0;
  for (const [key, run] of chosen) {
    const reason = cannot(key);
    const outcome = reason === undefined ? await outcomeOf(run, peer) : NOT_POSSIBLE + reason;
    if (outcome.startsWith('FAILED')) failures++;
    console.log(`${key}: ${outcome}`);
  }
  return failures;
}

async function outcomeOf(run: Case, peer: Peer): Promise<string> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done within ${TIMEOUT_MS / 1_000} s`)), TIMEOUT_MS);
  });
  try {
    const note = await Promise.race([run(peer), timeout]);
    return note === undefined ? 'passed' : `passed: ${note}`;
  } catch (error) {
    const text = error instanceof Error ? error.message.replaceAll('\n', ' ') : String(error);
    return notPossible(error) ?? `FAILED: ${text}`;
  } finally {
    clearTimeout(timer);
  }
}
