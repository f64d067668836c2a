import { expect, it, onTestFinished, vi } from 'vitest';
import { ClockWatch } from './clock-watch.ts';
import { silentLogger } from './log.ts';
import { createMetrics } from './metrics.ts';

const yearMs = 365 * 24 * 3_600_000;

it('counts each step of the wall clock once, by its direction, and no slow drift', async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const metrics = createMetrics();
  const offset = { ms: 1_800_000_000_000 };
  let monotonicMs = 0;
  const clock = {
    monotonicMs: () => monotonicMs,
    nowNs: () => BigInt(Math.round(monotonicMs + offset.ms)) * 1_000_000n,
  };
  const watch = new ClockWatch({ clock, logger: silentLogger, metrics });
  await watch.start();
  onTestFinished(() => watch.stop());
  const second = (stepMs = 0): void => {
    offset.ms += stepMs;
    monotonicMs += 1000;
    vi.advanceTimersByTime(1000);
  };
  for (const stepMs of [0, 3_600_000, 0, -3_600_000, -yearMs, 501, 0]) second(stepMs);
  // An hour of slewing at 500 ppm, the most that NTP does.
  for (let n = 0; n < 3600; n++) second(0.5);
  await watch.stop();
  second(-yearMs);
  const found = await metrics.getSingleMetric('tidemark_clock_steps_total')!.get();
  const counts = found.values.map(({ labels, value }) => [labels.direction, value]);
  expect(counts).toEqual([
    ['forward', 2],
    ['back', 2],
  ]);
});
