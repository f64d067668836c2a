import { describe, expect, it } from 'vitest';
import { chartRange, MAX_POINTS, Series, SPAN_MS } from './series.ts';

function seriesOf(points: [timeMs: number, value: number][]): Series {
  const series = new Series();
  for (const [timeMs, value] of points) series.add(timeMs, value);
  return series;
}

describe('Series', () => {
  it('keeps points by time, whatever order they come in', () => {
    const series = seriesOf([
      [10_000, 1],
      [30_000, 3],
      [20_000, 2],
    ]);
    expect(series.timesMs).toEqual([10_000, 20_000, 30_000]);
    expect(series.values).toEqual([1, 2, 3]);
  });

  it('keeps one point for a pixel, its newest value, and never stands still', () => {
    const series = new Series();
    for (let timeMs = 0; timeMs < 10_000; timeMs += 10) series.add(timeMs, timeMs);
    expect(series.length).toBe(20);
    expect(series.values.at(-1)).toBe(9990);
  });

  it('is bounded', () => {
    const series = new Series();
    for (let n = 0; n < 5000; n++) series.add(n * 60_000, n);
    expect(series.length).toBe(MAX_POINTS);
    expect(series.values[0]).toBe(5000 - MAX_POINTS);
  });

  it('puts history before what came live meanwhile', () => {
    const series = seriesOf([
      [30_000, 30],
      [40_000, 40],
    ]);
    series.addHistory([
      [10_000, 1],
      [20_000, 2],
      [35_000, 9],
    ]);
    expect(series.timesMs).toEqual([10_000, 20_000, 30_000, 40_000]);
    expect(series.values).toEqual([1, 2, 30, 40]);
  });
});

describe('chartRange', () => {
  const nowMs = 1_700_000_000_000;

  it('shows the last minutes while data is fresh', () => {
    const series = seriesOf([
      [nowMs - 2 * SPAN_MS, 1],
      [nowMs - 1000, 2],
    ]);
    expect(chartRange(series, nowMs)).toEqual({ fromMs: nowMs - SPAN_MS, toMs: nowMs });
  });

  it('shows less where the sensor has just begun', () => {
    expect(chartRange(seriesOf([[nowMs - 90_000, 1]]), nowMs)).toEqual({
      fromMs: nowMs - 90_000,
      toMs: nowMs,
    });
    expect(chartRange(seriesOf([[nowMs - 5000, 1]]), nowMs)).toEqual({ fromMs: nowMs - 60_000, toMs: nowMs });
  });

  it('shows all of what is old', () => {
    const old = seriesOf([
      [1000, 1],
      [90_000, 2],
    ]);
    expect(chartRange(old, nowMs)).toEqual({ fromMs: 1000, toMs: 90_000 });
  });
});
