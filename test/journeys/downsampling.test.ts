import { loadConfig } from '@tidemark/core';
import { startEngine } from '@tidemark/store/testing';
import { expect, it } from 'vitest';
import { allReadings } from '../support/all-readings.ts';
import { startPlatform } from '../support/platform-process.ts';
import { tempDir } from '../support/temp-dir.ts';

const startMs = Date.UTC(2026, 0, 1);
const env = { TIDEMARK_DOWNSAMPLE_EVERY: '1m,1h' };

async function post(httpUrl: string, from: number, to: number): Promise<void> {
  const readings = Array.from({ length: to - from }, (_, index) => ({
    sensor: `s${index % 2}`,
    time: startMs + (from + index) * 1000,
    value: from + index,
  }));
  const response = await fetch(`${httpUrl}/api/v1/readings`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(readings),
  });
  expect(response.status).toBe(200);
}

it('sums up what was acknowledged before kill -9, and what comes late', { timeout: 120_000 }, async () => {
  const dataDir = await tempDir();
  const first = await startPlatform({ dataDir, env });
  await post(first.httpUrl, 0, 5000);
  await first.end('SIGKILL');
  const second = await startPlatform({ dataDir, env });
  await post(second.httpUrl, 5000, 9000);
  // Waits until the store has what was acknowledged: then it is known what is to be summed up.
  expect(await allReadings(second.httpUrl)).toHaveLength(9000);
  const pending = async () => {
    const text = await (await fetch(`${second.httpUrl}/metrics`)).text();
    return [...text.matchAll(/^tidemark_downsample_pending_seconds\{every="(1m|1h)"\} (\d+)/gm)].map(
      (found) => Number(found[2]),
    );
  };
  await expect.poll(pending, { timeout: 60_000, interval: 250 }).toEqual([0, 0]);
  expect(await second.end('SIGTERM')).toBe(0);

  const config = loadConfig({ overrides: { dataDir } });
  const engine = await startEngine(config);
  try {
    for (const measurement of ['readings_1m', 'readings_1h']) {
      let [count, sum] = [0, 0];
      for await (const page of engine.points({ measurements: [measurement], fromNs: 0n, toNs: 2n ** 62n }))
        for (const [field, value] of page.flatMap(({ fields }) => fields)) {
          if (field === 'value_count') count += Number(value);
          if (field === 'value_sum') sum += Number(value);
        }
      expect({ measurement, count, sum }).toEqual({ measurement, count: 9000, sum: (9000 * 8999) / 2 });
    }
  } finally {
    await engine.stop();
  }
});
