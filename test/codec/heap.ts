import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** How many bytes of the heap a value takes that a function makes. */
export function heapOf(make: () => unknown): number {
  const before = used();
  const held = [make()];
  const after = used();
  held.pop(); // Held until here.
  return after - before;
}

function used(): number {
  collectGarbage();
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
