/** What a run gives, and what `--json` prints beside the machine. */
export type Results = { rows: Row[]; starts: Start[]; memory: Memory[]; skipped: Skipped[] };

export type Row = {
  stack: string;
  kind: string;
  inFlight: number;
  /** Of streams, messages; so with the CPU times. */
  callsPerSecond: number;
  /** Of calls: null for messages in a stream, and for h2load. */
  p50Us: number | null;
  p99Us: number | null;
  /** Null when h2load is the client. */
  clientCpuUs: number | null;
  serverCpuUs: number;
};

/** From the start of the client's process to its first reply, and the first call's part of it. */
export type Start = { stack: string; coldStartMs: number; firstCallMs: number };

/** What one more costs: JavaScript's heap with buffers, and the process's resident memory. */
export type Memory = {
  stack: string;
  per: 'connection' | 'stream';
  clientKiB: number;
  serverKiB: number;
  clientResidentKiB: number;
  serverResidentKiB: number;
};

export type Skipped = { stack: string; kind: string; why: string };

/** Value by value, of objects with the same keys; what is not a number is that of the first. */
export function medians<T extends object>(samples: readonly T[]): T {
  const first = samples[0]!;
  const median = (key: keyof T) => {
    if (typeof first[key] !== 'number') return first[key];
    const sorted = samples.map((sample) => sample[key] as number).sort((a, b) => a - b);
    return sorted[Math.floor(sorted.length / 2)];
  };
  return Object.fromEntries(Object.keys(first).map((key) => [key, median(key as keyof T)])) as T;
}

export const rounded = (value: number, digits = 1): number => Number(value.toFixed(digits));
