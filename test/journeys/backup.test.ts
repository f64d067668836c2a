import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { allReadings } from '../support/all-readings.ts';
import { type PlatformProcess, runTidemark, startPlatform } from '../support/platform-process.ts';
import { tempDir } from '../support/temp-dir.ts';

// Small segments, so that the log goes on to others while the backup is made, and a store that is behind the log.
const env = {
  TIDEMARK_SPOOL_SEGMENT_BYTES: '65536',
  TIDEMARK_SPOOL_MAX_BYTES: '8388608',
  TIDEMARK_BATCH_POINTS: '1000000',
  TIDEMARK_BATCH_AGE_MS: '2000',
};
const baseMs = Date.UTC(2026, 0, 1);
const writers = 4;

/** Posts readings without a pause until stopped; `acknowledged` holds the ids in the order they were answered. */
class Load {
  readonly acknowledged: string[] = [];
  readonly #httpUrl: string;
  readonly #running: Promise<void>[];
  #isStopped = false;
  #next = 0;

  constructor(httpUrl: string) {
    this.#httpUrl = httpUrl;
    this.#running = Array.from({ length: writers }, (_, writer) => this.#run(`s${writer}`));
  }

  async reach(count: number): Promise<void> {
    while (this.acknowledged.length < count) await new Promise((resolve) => setTimeout(resolve, 10));
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#running);
  }

  async #run(sensor: string): Promise<void> {
    while (!this.#isStopped) {
      const readings = Array.from({ length: 100 }, () => {
        const index = this.#next++;
        // Half of them late.
        const time = baseMs + (index % 2 === 0 ? index : -index) * 1000;
        return { sensor, time, value: index, note: `n${index}` };
      });
      const response = await fetch(`${this.#httpUrl}/api/v1/readings`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(readings),
      });
      if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
      const { ids } = (await response.json()) as { ids: string[] };
      for (const id of ids) this.acknowledged.push(id);
    }
  }
}

const byId = (readings: Record<string, unknown>[]) => new Map(readings.map((one) => [one.id as string, one]));

async function quarantined(platform: PlatformProcess): Promise<unknown> {
  const response = await fetch(`${platform.httpUrl}/api/v1/quarantine`);
  const { items } = (await response.json()) as { items: { reason: string; topic: string }[] };
  return items.map(({ reason, topic }) => ({ reason, topic }));
}

it('restores all that was acknowledged before a backup of the running platform', {
  timeout: 120_000,
}, async () => {
  const [dataDir, folder] = [await tempDir(), await tempDir()];
  const platform = await startPlatform({ dataDir, env });
  await fetch(`${platform.httpUrl}/api/v1/readings`, {
    method: 'POST',
    body: '{"sensor": "s0", "value": null}',
  });
  const load = new Load(platform.httpUrl);
  await load.reach(20_000);

  const acknowledged = [...load.acknowledged];
  const file = join(folder, 'first.backup');
  const made = await runTidemark(['backup', file, '--url', platform.httpUrl, '--json']);
  expect(made).toMatchObject({ code: 0, stderr: '' });
  const acknowledgedAfter = load.acknowledged.length;
  expect(acknowledgedAfter).toBeGreaterThan(acknowledged.length);
  await load.stop();
  const original = byId(await allReadings(platform.httpUrl));
  const refused = await quarantined(platform);
  expect(await platform.end('SIGTERM')).toBe(0);

  const restoredDir = join(folder, 'restored');
  const restored = await runTidemark(['restore', file, '--data-dir', restoredDir]);
  expect(restored).toMatchObject({ code: 0, stderr: '' });
  let again = await startPlatform({ dataDir: restoredDir, env });
  const found = byId(await allReadings(again.httpUrl));
  expect(acknowledged.filter((id) => !found.has(id))).toEqual([]);
  for (const [id, reading] of found) expect(reading).toEqual(original.get(id));
  expect(await quarantined(again)).toEqual(refused);
  expect((await fetch(`${again.httpUrl}/health`)).status).toBe(200);

  // It goes on as any other: what it acknowledges survives a crash.
  const more = new Load(again.httpUrl);
  await more.reach(2000);
  await more.stop();
  await again.end('SIGKILL');
  again = await startPlatform({ dataDir: restoredDir, env });
  const after = byId(await allReadings(again.httpUrl));
  expect([...acknowledged, ...more.acknowledged].filter((id) => !after.has(id))).toEqual([]);
  expect(await again.end('SIGTERM')).toBe(0);
});

it('says what it refuses, and leaves nothing behind', { timeout: 60_000 }, async () => {
  const [dataDir, folder] = [await tempDir(), await tempDir()];
  const platform = await startPlatform({ dataDir });
  const load = new Load(platform.httpUrl);
  await load.reach(1000);
  await load.stop();
  const file = join(folder, 'whole.backup');
  expect((await runTidemark(['backup', file, '--url', platform.httpUrl, '--quiet'])).code).toBe(0);

  const noRoom = join(folder, 'full.backup');
  await symlink('/dev/full', `${noRoom}.part`);
  const full = await runTidemark(['backup', noRoom, '--url', platform.httpUrl]);
  expect(full).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(
      /the disk is full: there is no room for \S+full\.backup, of which .* were written/,
    ),
  });
  expect(await readdir(folder)).toEqual(['whole.backup']);

  const twice = await runTidemark(['backup', file, '--url', platform.httpUrl]);
  expect(twice).toMatchObject({ code: 1, stderr: expect.stringContaining('is there already') });
  const running = await runTidemark(['restore', file, '--data-dir', dataDir]);
  expect(running).toMatchObject({ code: 1, stderr: expect.stringContaining('in use by another Tidemark') });
  expect(await platform.end('SIGTERM')).toBe(0);
  const away = await runTidemark(['backup', join(folder, 'other'), '--url', platform.httpUrl]);
  expect(away).toMatchObject({ code: 1, stderr: expect.stringContaining('is Tidemark running there') });
  const held = await runTidemark(['restore', file, '--data-dir', dataDir]);
  expect(held).toMatchObject({ code: 1, stderr: expect.stringContaining('holds data') });

  const bytes = await readFile(file);
  const damaged = Buffer.from(bytes);
  damaged[bytes.length >> 1]! ^= 1;
  const cases: [content: Buffer, says: string][] = [
    [bytes.subarray(0, bytes.length - 20), 'it is cut off'],
    [damaged, 'is not what it was'],
    [Buffer.from('something else\n'), 'no whole backup'],
  ];
  const target = join(folder, 'target');
  await mkdir(target);
  for (const [content, says] of cases) {
    const path = join(folder, 'damaged.backup');
    await writeFile(path, content);
    const { code, stderr } = await runTidemark(['restore', path, '--data-dir', target]);
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining(says) });
  }
  // The folder can still be restored into.
  expect((await runTidemark(['restore', file, '--data-dir', target, '--quiet'])).code).toBe(0);
});
