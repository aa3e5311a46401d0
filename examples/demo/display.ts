/** Lines that stay, and one that goes on changing; where there is no terminal, a line per second instead. */
export interface Display {
  /** Something happened. */
  event(text: string): void;
  /** How things stand. */
  progress(text: string): void;
  /** Takes the changing line away. */
  end(): void;
}

const CLEAR = '\r\x1b[2K';
const EVERY_MS = 1_000;

export function createDisplay(out: NodeJS.WriteStream, now: () => number = () => performance.now()): Display {
  const start = now();
  const stamp = () => `${((now() - start) / 1_000).toFixed(1).padStart(5)} s  `;
  let current = '';
  let last = Number.NEGATIVE_INFINITY;
  const clear = () => {
    if (current !== '') out.write(CLEAR);
  };
  return {
    event(text) {
      clear();
      out.write(`${stamp()}${text}\n${current}`);
    },
    progress(text) {
      const line = `${stamp()}${text}`;
      if (out.isTTY) {
        // A line that wraps could not be cleared.
        current = line.slice(0, out.columns - 1);
        out.write(`${CLEAR}${current}`);
      } else if (now() - last >= EVERY_MS) {
        last = now();
        out.write(`${line}\n`);
      }
    },
    end() {
      clear();
      current = '';
    },
  };
}
