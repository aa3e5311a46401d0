import { setTimeout as sleep } from 'node:timers/promises';
import type { ConfigChange, ConfigState, ConfigWatch } from 'lictor/plugin/consul/config';

/** Keeps what a handler is told, in the words `+path=value`, `path=old>new` and `-path=old`. */
export function recorder<T = unknown>() {
  const told: string[] = [];
  const waiting = new Set<() => void>();
  const wake = () => {
    for (const look of waiting) look();
  };
  return {
    told,
    handler(change: ConfigChange<T>): void {
      told.push(wordOf(change));
      wake();
    },
    /** Resolves when something that fits has been told. Nothing bounds the wait but the test's own time limit. */
    async until(...words: readonly string[]): Promise<void> {
      while (!words.every((word) => told.includes(word))) {
        await new Promise<void>((resolve) => {
          const look = () => {
            waiting.delete(look);
            resolve();
          };
          waiting.add(look);
        });
      }
    },
  };
}

export async function untilState(
  watch: Pick<ConfigWatch<unknown>, 'state'>,
  kind: ConfigState['kind'],
): Promise<void> {
  while (watch.state.kind !== kind) await sleep(5);
}

export function wordOf(change: ConfigChange<unknown>): string {
  const { path, previous } = change;
  if (change.kind === 'deleted') return `-${path}=${text(previous)}`;
  return previous === undefined
    ? `+${path}=${text(change.value)}`
    : `${path}=${text(previous)}>${text(change.value)}`;
}

const text = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value));
