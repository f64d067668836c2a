import { describe, expect, it } from 'vitest';
import { LiveStats } from './series-stats.ts';
import { toFrame } from './table-frame.ts';

function reading(sensor: string, second: number, values: Record<string, number | string | boolean>) {
  const time = new Date(second * 1000).toISOString();
  return { id: `${sensor}@${second}`, sensor, location: null, time, ...values };
}

describe('LiveStats', () => {
  it('counts each series, by the times of its readings', () => {
    const stats = new LiveStats(() => 0);
    for (const [n, v] of [10, 20, 60].entries())
      stats.add(String(n), reading('a', n * 10, { v, state: 'on' }));
    // Late: it is counted, and neither the last nor the end of the rate.
    stats.add('9', reading('a', 15, { v: 30, late: true }));
    expect(stats.all()).toMatchObject([
      {
        sensor: 'a',
        metric: 'state',
        count: 3,
        last: 'on',
        mean: undefined,
        rate: undefined,
        perSecond: 0.3,
      },
      { sensor: 'a', metric: 'v', count: 4, mean: 30, min: 10, max: 60, last: 60, rate: 2.5, perSecond: 0.4 },
    ]);
  });

  it('counts once what comes again after a reconnect', () => {
    const stats = new LiveStats(() => 0);
    stats.add('100', reading('a', 1, { v: 1 }));
    stats.add('100', reading('a', 2, { v: 2 }));
    // Cut off there, the message comes again as a whole.
    stats.add('100', reading('a', 1, { v: 1 }));
    stats.add('100', reading('a', 2, { v: 2 }));
    stats.add('200', reading('a', 3, { v: 3 }));
    expect(stats.all()).toMatchObject([{ count: 3, mean: 2 }]);
  });

  it('tells the pace of the last seconds, and what has changed', () => {
    let nowMs = 0;
    const stats = new LiveStats(() => nowMs);
    for (let n = 0; n < 20; n++) stats.add(String(n), reading('a', n, { v: n }));
    expect(stats.takeChanged()).toMatchObject([{ perSecond: 2 }]);
    expect(stats.takeChanged()).toEqual([]);
    nowMs = 5000;
    stats.add('x', reading('a', 30, { v: 1 }));
    expect(stats.all()).toMatchObject([{ perSecond: 2.1 }]);
    nowMs = 12_000;
    expect(stats.all()).toMatchObject([{ perSecond: 0.1 }]);
    nowMs = 60_000;
    expect(stats.all()).toMatchObject([{ perSecond: 0 }]);
  });

  it('tells so many series apart, and counts the values of more', () => {
    const stats = new LiveStats(() => 0);
    for (let n = 0; n < 10_005; n++) stats.add(String(n), reading(`s${n}`, 1, { v: 1 }));
    expect([stats.size, stats.uncounted]).toEqual([10_000, 5]);
  });
});

describe('toFrame', () => {
  it('fits on the terminal, and steers it by no name', () => {
    const stats = new LiveStats(() => 0);
    for (let n = 0; n < 50; n++) stats.add(String(n), reading(`s${n}\x1b[2J`, 1, { v: n }));
    const frame = toFrame({ stats: stats.all(), status: 'live', columns: 40, rows: 10 });
    const lines = frame.split('\n');
    expect(lines).toHaveLength(10);
    expect(lines.every((line) => line.length <= 40)).toBe(true);
    expect(lines.at(-2)).toMatch(/^… and 43 more series/);
    expect(frame).not.toContain('\x1b');
  });
});
