import { expect, it, onTestFinished } from 'vitest';
import { allReadings } from '../support/all-readings.ts';
import { type PlatformProcess, runTidemark, startPlatform } from '../support/platform-process.ts';
import { tempDir } from '../support/temp-dir.ts';

async function start(dataDir: string, maxSeries: number): Promise<PlatformProcess> {
  const platform = await startPlatform({ dataDir, env: { TIDEMARK_STORE_MAX_SERIES: `${maxSeries}` } });
  onTestFinished(async () => void (await platform.end('SIGKILL')));
  return platform;
}

async function post({ httpUrl }: PlatformProcess, readings: unknown): Promise<void> {
  const response = await fetch(`${httpUrl}/api/v1/readings`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(readings),
  });
  expect(response.status).toBe(200);
}

it('beyond the limit on series, readings are quarantined and counted; known series go on; a replay heals it', async () => {
  const dataDir = await tempDir();
  let platform = await start(dataDir, 2);
  const { httpUrl } = platform;
  const time = '2026-05-01T00:00:00Z';
  await post(platform, { sensor: 'known', t: 1, u: 2, time });
  await allReadings(httpUrl);
  await post(platform, [
    { sensor: 'new', t: 3, time },
    { sensor: 'known', t: 4, time: '2026-05-01T00:00:01Z' },
  ]);
  expect(await allReadings(httpUrl)).toMatchObject([
    { sensor: 'known', t: 1, u: 2 },
    { sensor: 'known', t: 4 },
  ]);
  const refused = await fetch(`${httpUrl}/api/v1/quarantine?reason=too_many_series&sensor=new`);
  expect(await refused.json()).toMatchObject({ items: [{ source: 'store', sensor: 'new' }] });
  const metrics = await (await fetch(`${httpUrl}/metrics`)).text();
  expect(metrics).toMatch(
    /^tidemark_ingest_quarantined_total\{source="store",reason="too_many_series"\} 1$/m,
  );

  await platform.end('SIGTERM');
  platform = await start(dataDir, 1000);
  const replay = ['quarantine', 'replay', '--reason', 'too_many_series', '--url', platform.httpUrl];
  expect(await runTidemark(replay)).toMatchObject({ code: 0, stdout: '1 replayed\n' });
  expect(await allReadings(platform.httpUrl, 'sensor=new')).toMatchObject([{ sensor: 'new', t: 3, time }]);
});
