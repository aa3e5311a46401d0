import assert from 'node:assert/strict';
import { describe, mock, test } from 'node:test';
import fc from 'fast-check';
import { type Timed, TimerWheel } from '../../rpc/timer-wheel.js';

/** How late a deadline may be told: a tick of the wheel, and a millisecond of the timer. */
const LATE_MS = 6;

class Entry implements Timed {
  readonly deadline: number | undefined;
  wheelPrevious: Timed | undefined;
  wheelNext: Timed | undefined;
  wheelSlot: number | undefined;
  fired: number[] = [];
  onFire = () => {};
  readonly #clock: Clock;

  constructor(clock: Clock, deadline: number | undefined) {
    this.#clock = clock;
    this.deadline = deadline;
  }

  onDeadline(): void {
    this.fired.push(this.#clock.ms);
    this.onFire();
  }
}

/** Time that a test moves, for the clock and for `setTimeout`. */
class Clock {
  ms: number;

  constructor(startMs: number) {
    this.ms = startMs;
  }

  readonly now = () => this.ms;

  /** @param earlyMs how far the clock is behind when the timers go off, as it may be in Node */
  move(ms: number, earlyMs = 0): void {
    this.ms += ms - earlyMs;
    mock.timers.tick(ms);
    this.ms += earlyMs;
  }

  /** A process that was stopped: all that was due in between comes at once. */
  pause(ms: number): void {
    this.move(ms);
  }

  walk(ms: number): void {
    for (let left = ms; left > 0; left--) this.move(Math.min(1, left));
  }
}

function withWheel(run: (wheel: TimerWheel, clock: Clock) => void, startMs = 0): void {
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    const clock = new Clock(startMs);
    run(new TimerWheel(clock.now), clock);
  } finally {
    mock.timers.reset();
  }
}

describe('the timer wheel', () => {
  test('tells a deadline once, not before it and at most one tick after it', () => {
    for (const deadline of [0, 0.1, 1, 4.999, 5, 5.001, 100, 5_119, 5_120, 5_121, 60_000.5]) {
      withWheel((wheel, clock) => {
        const entry = new Entry(clock, deadline);
        wheel.add(entry);
        clock.walk(deadline + 20);
        assert.equal(entry.fired.length, 1, `${deadline}`);
        const late = entry.fired[0]! - deadline;
        assert.ok(late >= 0 && late <= LATE_MS + 1, `${deadline} came ${late} ms late`);
        assert.equal(wheel.size, 0);
      });
    }
  });

  test('leaves out what has no deadline, and adds nothing twice', () => {
    withWheel((wheel, clock) => {
      const none = new Entry(clock, undefined);
      const one = new Entry(clock, 10);
      for (const entry of [none, one, one]) wheel.add(entry);
      assert.equal(wheel.size, 1);
      wheel.remove(none);
      assert.equal(wheel.size, 1);
      clock.walk(30);
      assert.deepEqual([none.fired.length, one.fired.length], [0, 1]);
    });
  });

  test('does not tell what was removed, also by another that is due with it', () => {
    withWheel((wheel, clock) => {
      const entries = Array.from({ length: 10 }, () => new Entry(clock, 10));
      for (const entry of entries) {
        wheel.add(entry);
        entry.onFire = () => {
          for (const other of entries) wheel.remove(other);
        };
      }
      clock.walk(30);
      assert.equal(entries.flatMap(({ fired }) => fired).length, 1);
      assert.equal(wheel.size, 0);
    });
  });

  test('takes what is added, or added again, while deadlines are told', () => {
    withWheel((wheel, clock) => {
      const first = new Entry(clock, 10);
      const second = new Entry(clock, 12);
      const past = new Entry(clock, 3);
      first.onFire = () => {
        wheel.add(second);
        wheel.add(past);
        first.onFire = () => {};
        wheel.add(first);
      };
      wheel.add(first);
      clock.walk(60);
      assert.deepEqual([first.fired.length, second.fired.length, past.fired.length], [2, 1, 1]);
    });
  });

  test('after a long pause tells everything that was due, and nothing else', () => {
    for (const pause of [5_119, 5_120, 5_125, 10_241, 3_600_000]) {
      withWheel((wheel, clock) => {
        const due = Array.from({ length: 1_100 }, (_, i) => new Entry(clock, i * 4.7));
        const later = Array.from({ length: 1_100 }, (_, i) => new Entry(clock, pause + 0.1 + i * 4.7));
        for (const entry of [...due, ...later]) wheel.add(entry);
        clock.pause(pause);
        for (const { deadline, fired } of due) {
          // What is due in the tick of the pause's end comes with the next one.
          if (deadline! <= pause - LATE_MS) assert.equal(fired.length, 1, `${deadline} of ${pause}`);
        }
        assert.equal(later.flatMap(({ fired }) => fired).length, 0);
        clock.walk(5_300);
        assert.equal([...due, ...later].filter(({ fired }) => fired.length !== 1).length, 0);
        assert.equal(wheel.size, 0);
      });
    }
  });

  test('carries fifty thousand deadlines of which most are removed', () => {
    withWheel((wheel, clock) => {
      const entries = Array.from({ length: 50_000 }, (_, i) => new Entry(clock, 1 + ((i * 7_919) % 20_000)));
      for (const entry of entries) wheel.add(entry);
      entries.forEach((entry, i) => {
        if (i % 10 > 0) wheel.remove(entry);
      });
      assert.equal(wheel.size, 5_000);
      for (let i = 0; i < 4_100; i++) clock.move(5);
      assert.equal(wheel.size, 0);
      entries.forEach(({ fired }, i) => void assert.equal(fired.length, i % 10 > 0 ? 0 : 1));
    });
  });

  test('does the same as a list that is searched', () => {
    const step = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({
          do: fc.constant('add'),
          ms: fc.double({ min: -20, max: 12_000, noNaN: true }),
        }),
      },
      {
        weight: 1,
        arbitrary: fc.record({ do: fc.constant('add'), ms: fc.double({ min: 0, max: 10, noNaN: true }) }),
      },
      { weight: 2, arbitrary: fc.record({ do: fc.constant('remove'), ms: fc.nat() }) },
      { weight: 3, arbitrary: fc.record({ do: fc.constant('walk'), ms: fc.nat(40) }) },
      { weight: 2, arbitrary: fc.record({ do: fc.constant('early'), ms: fc.integer({ min: 1, max: 30 }) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('pause'), ms: fc.nat(15_000) }) },
    );
    fc.assert(
      fc.property(fc.nat(100_000), fc.array(step, { maxLength: 60 }), (startMs, steps) => {
        withWheel((wheel, clock) => {
          const all: { entry: Entry; addedMs: number; removed: boolean }[] = [];
          const pending = () => all.filter(({ entry, removed }) => !removed && entry.fired.length === 0);
          for (const { do: what, ms } of steps) {
            if (what === 'add') {
              const entry = new Entry(clock, clock.ms + ms);
              all.push({ entry, addedMs: clock.ms, removed: false });
              wheel.add(entry);
            } else if (what === 'remove') {
              const left = pending();
              const one = left[ms % Math.max(1, left.length)];
              if (one) {
                one.removed = true;
                wheel.remove(one.entry);
              }
            } else if (what === 'walk') clock.walk(ms);
            else if (what === 'early') clock.move(ms, 0.9);
            else clock.pause(ms);
            assert.equal(wheel.size, pending().length);
          }
          clock.walk(6_000);
          clock.walk(6_100);
          for (const { entry, removed } of all) {
            assert.ok(entry.fired.length <= 1);
            if (!removed) assert.equal(entry.fired.length, 1);
            for (const at of entry.fired) assert.ok(at >= entry.deadline!, `${at - entry.deadline!} early`);
          }
        }, startMs);
      }),
      { numRuns: 60 },
    );
  });
});
