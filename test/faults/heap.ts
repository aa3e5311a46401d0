import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** What this process holds, in MiB, after a collection. */
export function heapMiB(): number {
  collect();
  return process.memoryUsage().heapUsed / 2 ** 20;
}
