import { expect, it, onTestFinished } from 'vitest';
import { runTidemark, startPlatform } from '../support/platform-process.ts';
import { tempDir } from '../support/temp-dir.ts';

it('tidemark send prints what it has sent, and what is refused is a failure', async () => {
  const platform = await startPlatform({
    dataDir: await tempDir(),
    env: { TIDEMARK_MAX_METRICS_PER_SENSOR: '2' },
  });
  onTestFinished(async () => void (await platform.end('SIGTERM')));
  const send = (...args: string[]) => runTidemark(['send', '--url', platform.httpUrl, ...args]);
  const options = ['--count', '250', '--sensors', '3', '--seed', '1', '--metrics', 'temperature', '--json'];
  const { code, stdout } = await send(...options);
  expect(code).toBe(0);
  const sent = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(sent).toHaveLength(250);
  expect(sent[4]).toMatchObject({
    id: expect.stringMatching(/^sensor-2@\d+$/),
    temperature: expect.any(Number),
  });
  const stored = await fetch(`${platform.httpUrl}/api/v1/readings/${sent[4].id}`);
  expect(await stored.json()).toEqual({ ...sent[4], location: null });

  expect((await send('--metrics', 'temperature')).stdout).toMatch(/sensor-1@\d+/);
  const refused = await send('--metrics', 'a:integer,b:integer,c:integer', '--prefix', 'many');
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('refused') });
});
