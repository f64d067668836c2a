import type { Condition } from '@tidemark/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { newSeries, type Step, step } from './series-state.ts';

type Reading = readonly [timeMs: number, value: number];

function play(condition: Condition, forMs: number, readings: readonly Reading[]): Step[] {
  const state = newSeries();
  return readings.map(([timeMs, value]) => step({ condition, forMs }, state, value, timeMs));
}

/** Firing or not behind each reading that is in order, by what the words of a rule say of all readings at once. */
function reference(
  {
    inBreach,
    isClear,
    forMs,
  }: { inBreach: (value: number) => boolean; isClear: (value: number) => boolean; forMs: number },
  readings: readonly Reading[],
): boolean[] {
  const startOf = (index: number): number => {
    let start = index;
    while (start > 0 && inBreach(readings[start - 1]![1])) start--;
    return start;
  };
  const begins = (index: number): boolean =>
    inBreach(readings[index]![1]) && readings[index]![0] - readings[startOf(index)]![0] >= forMs;
  return readings.map((_, index) =>
    readings
      .slice(0, index + 1)
      .some(
        (_, begin) =>
          begins(begin) && readings.slice(begin + 1, index + 1).every(([, value]) => !isClear(value)),
      ),
  );
}

const readingsArbitrary = fc.array(
  fc.tuple(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 0, max: 12 })),
  {
    maxLength: 40,
  },
);

function agreesWithReference(condition: Condition, rule: Omit<Parameters<typeof reference>[0], 'forMs'>) {
  fc.assert(
    fc.property(readingsArbitrary, fc.integer({ min: 0, max: 20 }), (readings, forMs) => {
      const steps = play(condition, forMs, readings);
      const inOrder = readings.filter((_, index) => steps[index] !== 'late');
      let isFiring = false;
      const seen = steps
        .filter((one) => one !== 'late')
        .map((one) => {
          if (one === 'firing') isFiring = true;
          if (one === 'resolved') isFiring = false;
          return isFiring;
        });
      expect(seen).toEqual(reference({ ...rule, forMs }, inOrder));
      const newest = readings.map((_, index) =>
        Math.max(-1, ...readings.slice(0, index).map(([timeMs]) => timeMs)),
      );
      expect(steps.map((one) => one === 'late')).toEqual(
        readings.map(([timeMs], index) => timeMs < newest[index]!),
      );
    }),
  );
}

describe('step', () => {
  it('agrees with what the words of a rule say, for each kind of threshold, with hysteresis and for', () => {
    agreesWithReference(
      { kind: 'above', threshold: 7, clear: 5 },
      { inBreach: (value) => value > 7, isClear: (value) => value <= 5 },
    );
    agreesWithReference(
      { kind: 'below', threshold: 4, clear: 6 },
      { inBreach: (value) => value < 4, isClear: (value) => value >= 6 },
    );
    agreesWithReference(
      { kind: 'inside', range: [4, 6], clear: [3, 8] },
      { inBreach: (value) => value >= 4 && value <= 6, isClear: (value) => value < 3 || value > 8 },
    );
    agreesWithReference(
      { kind: 'outside', range: [3, 9], clear: [5, 7] },
      { inBreach: (value) => value < 3 || value > 9, isClear: (value) => value >= 5 && value <= 7 },
    );
  });

  it('fires for a change that is too fast, in either direction', () => {
    const rate: Condition = { kind: 'rate', above: 2, below: -3, perMs: 1000 };
    const readings: Reading[] = [
      [0, 10],
      [1000, 12],
      [2000, 14.5],
      [2000, 99],
      [3000, 99],
      [5000, 92],
    ];
    expect(play(rate, 0, readings)).toEqual(['none', 'none', 'firing', 'none', 'resolved', 'firing']);
  });

  it('fires for a value that stays the same, from the first reading that had it', () => {
    const stuck: Condition = { kind: 'stuck', afterMs: 2000 };
    const state = newSeries();
    const steps = (
      [
        [0, 1],
        [1000, 5],
        [2000, 5],
        [3000, 5],
        [4000, 6],
      ] as const
    ).map(([timeMs, value]) => step({ condition: stuck, forMs: 0 }, state, value, timeMs));
    expect(steps).toEqual(['none', 'none', 'pending', 'firing', 'resolved']);
    expect(state.sinceMs).toBe(1000);
  });

  it('keeps still after it was ended by hand, until its condition has ended', () => {
    const state = newSeries();
    const rule = { condition: { kind: 'above', threshold: 7, clear: 5 } as const, forMs: 0 };
    expect(step(rule, state, 8, 0)).toBe('firing');
    state.phase = 'dismissed';
    expect([9, 6, 9, 5, 9].map((value, index) => step(rule, state, value, index + 1))).toEqual([
      'none',
      'none',
      'none',
      'ended',
      'firing',
    ]);
  });

  it('a reading far ahead of the clock holds up none that comes after it, and one of a running clock is late still', () => {
    const rule = { condition: { kind: 'above', threshold: 6, clear: 6 } as const, forMs: 1000 };
    const nowMs = 1_000_000_000;
    const dayMs = 86_400_000;
    const played = (readings: [timeMs: number, value: number][]): Step[] => {
      const state = newSeries();
      return readings.map(([timeMs, value]) => step(rule, state, value, timeMs, nowMs));
    };
    const ahead: [number, number] = [nowMs + dayMs, 9];
    expect(played([ahead, [nowMs - 1000, 9], [nowMs, 9], [nowMs - 500, 5]])).toEqual([
      'pending',
      'pending',
      'firing',
      'late',
    ]);
    // Who is ahead all the time is in the order of its own times.
    expect(played([ahead, [nowMs + dayMs - 1, 5]])).toEqual(['pending', 'late']);
    expect(
      played([
        [nowMs + 30_000, 9],
        [nowMs, 5],
      ]),
    ).toEqual(['pending', 'late']);
  });
});
