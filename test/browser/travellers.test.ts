import type { Page } from 'playwright-core';
import { describe, expect, it, onTestFinished } from 'vitest';
import { runTidemark, startPlatform } from '../support/platform-process.ts';
import { tempDir } from '../support/temp-dir.ts';
import { hasBrowser, innocent, openerOfPages } from './browser.ts';

const startMs = Date.parse('2026-05-01T12:00:00Z');
const address = '#/travellers?from=2026-05-01T12:00:00Z&to=2026-05-01T12:03:00Z';
const walkers = 'pedestrian at gate';

describe.skipIf(!hasBrowser)('the view of travellers, in Chromium', { timeout: 60_000 }, () => {
  const openPage = openerOfPages();

  it('says how to send positions, and shows them once they are there', async () => {
    const { httpUrl, mqttUrl } = await start();
    const { page, misdeeds } = await openPage(httpUrl);
    await page.getByRole('link', { name: 'Travellers' }).click();
    await page.getByRole('heading', { name: 'No travellers yet' }).waitFor();
    const [publish, simulate] = await page.locator('.copy-line code').allTextContents();
    expect(simulate).toBe(`npx tidemark simulate travellers --url ${mqttUrl}`);

    // What the page says works as it stands.
    const [, port, topic, payload] = /-p (\d+) -q 1 -t (\S+) -m '(.+)'$/.exec(publish!)!;
    await runTidemark(['publish', '--url', `mqtt://127.0.0.1:${port}`, topic!, payload!]);
    const card = page.getByRole('article', { name: 'cyclist at gate' });
    await card.getByRole('img', { name: 'Chart of cyclist at gate: at most 1 in a window' }).waitFor();
    await card.getByRole('img', { name: 'Chart of the speed of cyclist at gate: no speed yet' }).waitFor();
    expect(misdeeds).toEqual(innocent);
    await page.close();
  });

  it('draws speed and count by sensor and type, as the address says', async () => {
    const { httpUrl } = await start();
    await write(httpUrl, [
      // From 12:00:00 to 12:01:28 at 2 m/s, and in the second minute another at 1 m/s.
      ...track('gate', 'pedestrian', 'w1', { positions: 45, metres: 4, seconds: 2 }),
      ...track('gate', 'pedestrian', 'w2', { positions: 6, metres: 2, seconds: 2, from: 60 }),
      ...track('bridge', 'car', 'c1', { positions: 2, metres: 30, seconds: 1, from: 6 }),
    ]);
    const { page, misdeeds } = await openPage(`${httpUrl}/${address}`, { timezoneId: 'Europe/Berlin' });
    const card = page.getByRole('article', { name: walkers });
    await card.getByRole('img', { name: `Chart of the speed of ${walkers}: from 1 to 2 m/s` }).waitFor();
    await card.getByRole('img', { name: `Chart of ${walkers}: at most 2 in a window` }).waitFor();
    // 15 speeds of 2 m/s and 5 of 1 m/s belong to the window of 12:01, and nobody is there at 12:02.
    await card.getByText('1.75', { exact: true }).waitFor();
    expect(await card.locator('[data-metric="count"] output').textContent()).toBe('0');
    for (const metric of ['speed', 'count'])
      await expect.poll(() => drawnPixels(page, metric)).toBeGreaterThan(100);
    await expect
      .poll(() => rows(page))
      .toEqual([
        ['w2', 'pedestrian', 'gate', '2026-05-01 14:01:00', '2026-05-01 14:01:10', '1 m/s'],
        ['c1', 'car', 'bridge', '2026-05-01 14:00:06', '2026-05-01 14:00:07', '30 m/s'],
        ['w1', 'pedestrian', 'gate', '2026-05-01 14:00:00', '2026-05-01 14:01:28', '2 m/s'],
      ]);
    // Times are those of this zone.
    expect(await page.getByLabel('From', { exact: true }).inputValue()).toBe('2026-05-01T14:00');

    await choice(page, 'Sensor').selectOption('bridge');
    await card.waitFor({ state: 'detached' });
    await page.getByRole('article', { name: 'car at bridge' }).getByText('30', { exact: true }).waitFor();
    expect(new URL(page.url()).hash).toContain('sensor=bridge');
    await choice(page, 'Type').selectOption('pedestrian');
    await page.getByText('Nobody was there in this range').waitFor();
    await page.goBack();
    await page.goBack();
    await card.waitFor();
    expect(await choice(page, 'Sensor').inputValue()).toBe('');

    // One window holds all three minutes: two walkers.
    await choice(page, 'Window').selectOption('15m');
    await expect.poll(() => card.locator('[data-metric="count"] output').textContent()).toBe('2');
    await choice(page, 'Range').selectOption('now-1h');
    await page.getByText('Nobody was there in this range').waitFor();
    expect(await choice(page, 'Window').inputValue()).toBe('15m');
    expect(misdeeds).toEqual(innocent);
    await page.close();
  });

  it('is whole at the width of a phone, and says what is wrong with an address', async () => {
    const { httpUrl } = await start();
    await write(httpUrl, track('gate', 'pedestrian', 'w1', { positions: 45, metres: 4, seconds: 2 }));
    const viewport = { width: 360, height: 740 };
    const { page } = await openPage(`${httpUrl}/${address}`, { viewport, colorScheme: 'dark' });
    await page.getByRole('article', { name: walkers }).waitFor();
    await expect.poll(() => drawnPixels(page, 'speed')).toBeGreaterThan(100);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);

    await page.goto(`${httpUrl}/#/travellers?from=now&to=now-1h`);
    await page.getByRole('alert').getByText('must be before to').waitFor();
    await choice(page, 'Range').selectOption('now-15m');
    await page.getByText('Nobody was there in this range').waitFor();
    await page.close();
  });
});

function choice(page: Page, name: string) {
  return page.getByRole('combobox', { name, exact: true });
}

async function start() {
  const platform = await startPlatform({ dataDir: await tempDir() });
  onTestFinished(async () => void (await platform.end('SIGTERM')));
  return platform;
}

interface Walk {
  positions: number;
  metres: number;
  seconds: number;
  /** Seconds after the start. */
  from?: number;
}

/** Lines of somebody who is at one position after another, so many metres and seconds apart. */
function track(sensor: string, type: string, traveller: string, walk: Walk): string[] {
  const { positions, metres, seconds, from = 0 } = walk;
  return Array.from({ length: positions }, (_, step) => {
    const timeMs = startMs + (from + step * seconds) * 1000;
    return `travellers,sensor=${sensor},type=${type} traveller="${traveller}",x=${step * metres},y=0 ${timeMs}`;
  });
}

async function write(httpUrl: string, lines: readonly string[]): Promise<void> {
  const request = { method: 'POST', body: lines.join('\n') };
  expect((await fetch(`${httpUrl}/write?db=tidemark&precision=ms`, request)).status).toBe(204);
}

function rows(page: Page): Promise<string[][]> {
  return page
    .locator('#stays tbody tr')
    .evaluateAll((all) => all.map((row) => [...row.children].map((cell) => cell.textContent ?? '')));
}

function drawnPixels(page: Page, metric: string): Promise<number> {
  return page
    .locator(`[data-metric="${metric}"] canvas`)
    .first()
    .evaluate((canvas: HTMLCanvasElement) => {
      const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height);
      return data.filter((value, index) => index % 4 === 3 && value > 0).length;
    });
}
