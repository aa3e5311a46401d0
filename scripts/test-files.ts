export type TestChoice = {
  /** Leaves out the tests that need outside programs, `*.integration.test.js`. */
  readonly unit: boolean;
  /** Parts of paths, of the source or the compiled file; a test is taken when it has one of them. None takes all. */
  readonly filters: readonly string[];
};

/**
 * Reads the arguments of the test script.
 * @throws RangeError for an unknown option
 */
export function readArguments(args: readonly string[]): TestChoice {
  const option = args.find((arg) => arg.startsWith('-') && arg !== '--unit');
  if (option !== undefined)
    throw new RangeError(`option ${option}: only --unit is known, and parts of file names`);
  return { unit: args.includes('--unit'), filters: args.filter((arg) => arg !== '--unit') };
}

/** The compiled tests to run, sorted. `paths` are of files under dist, with forward slashes. */
export function chooseTests(paths: readonly string[], { unit, filters }: TestChoice): readonly string[] {
  return paths
    .filter((path) => path.endsWith('.test.js'))
    .filter((path) => !unit || !path.endsWith('.integration.test.js'))
    .filter(
      (path) => filters.length === 0 || filters.some((part) => path.includes(part.replace(/\.ts$/, '.js'))),
    )
    .sort();
}
