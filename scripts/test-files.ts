export type TestChoice = {
  /** Leaves out the tests that need outside programs, `*.integration.test.js`. */
  readonly unit: boolean;
  /** Takes those that need a minute or so, `*.faults.test.js`, which are left out otherwise. */
  readonly faults: boolean;
  /** Of those takes the ones that need many minutes, `*.long.faults.test.js`, which are left out otherwise. */
  readonly long: boolean;
  /** Parts of paths, of the source or the compiled file; a test is taken when it has one of them. None takes all. */
  readonly filters: readonly string[];
};

/**
 * Reads the arguments of the test script.
 * @throws RangeError for an unknown option
 */
export function readArguments(args: readonly string[]): TestChoice {
  const known = ['--unit', '--faults', '--long'];
  const option = args.find((arg) => arg.startsWith('-') && !known.includes(arg));
  if (option !== undefined)
    throw new RangeError(`option ${option}: ${known.join(', ')} are known, and parts of file names`);
  return {
    unit: args.includes('--unit'),
    faults: args.includes('--faults') || args.includes('--long'),
    long: args.includes('--long'),
    filters: args.filter((arg) => !known.includes(arg)),
  };
}

/** The compiled tests to run, sorted. `paths` are of files under dist, with forward slashes. */
export function chooseTests(
  paths: readonly string[],
  { unit, faults, long, filters }: TestChoice,
): readonly string[] {
  return paths
    .filter((path) => path.endsWith('.test.js'))
    .filter((path) => faults === path.endsWith('.faults.test.js'))
    .filter((path) => long === path.endsWith('.long.faults.test.js'))
    .filter((path) => !unit || !path.endsWith('.integration.test.js'))
    .filter(
      (path) => filters.length === 0 || filters.some((part) => path.includes(part.replace(/\.ts$/, '.js'))),
    )
    .sort();
}

/** Tests whose figures other tests would spoil, `*.alone.*.test.js`, are run after the others, with nothing beside them. */
export function batches(
  files: readonly string[],
): { readonly files: readonly string[]; readonly alone: boolean }[] {
  const isAlone = (file: string) => /\.alone\.[^/]*test\.js$/.test(file);
  return [
    { files: files.filter((file) => !isAlone(file)), alone: false },
    { files: files.filter(isAlone), alone: true },
  ].filter(({ files }) => files.length > 0);
}
