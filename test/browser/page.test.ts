import type { Page } from 'playwright-core';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type PlatformProcess, runTidemark, startPlatform } from '../support/platform-process.ts';
import { tempDir } from '../support/temp-dir.ts';
import { hasBrowser, innocent, openerOfPages } from './browser.ts';

// A shared machine may be slow; what is waited for comes at once on a quiet one.
const patiently = { timeout: 20_000 };

describe.skipIf(!hasBrowser)('the built-in page, in Chromium', { timeout: 60_000 }, () => {
  const openPage = openerOfPages();

  it('says how to publish the first reading, and shows its sensor once it is there', async () => {
    const { httpUrl, mqttUrl } = await start();
    const { page, misdeeds } = await openPage(httpUrl);
    await page.getByText('No readings yet').waitFor();
    const lines = await page.locator('.copy-line code').allTextContents();
    expect(lines[0]).toContain(`mosquitto_pub -h 127.0.0.1 -p ${new URL(mqttUrl).port}`);
    expect(lines[1]).toContain(`curl ${httpUrl}/api/v1/readings`);

    // What the page says works as it stands.
    const body = /-d '(.+)'/.exec(lines[1]!)![1]!;
    await post(httpUrl, JSON.parse(body));
    await page.getByRole('article', { name: 'Sensor greenhouse-1' }).waitFor();
    expect(await page.getByText('No readings yet').count()).toBe(0);
    expect(misdeeds).toEqual(innocent);
    await page.close();
  });

  it("moves a sensor's value and chart with each reading", async () => {
    const { httpUrl } = await start();
    await post(httpUrl, { sensor: 'tank', location: 'cellar', level: 12.5, state: 'filling' });
    const { page, misdeeds } = await openPage(httpUrl);
    const card = page.getByRole('article', { name: 'Sensor tank' });
    const level = card.locator('[data-metric="level"]');
    await level.getByText('12.5', { exact: true }).waitFor();
    await card.getByText('cellar').waitFor();
    await card.getByText('filling').waitFor();
    // With its history in place; a reading that comes before may share a window with it.
    await level.getByRole('img', { name: 'Chart of level of tank: from 12.5 to 12.5, now 12.5' }).waitFor();

    await delayPastHistory();
    await post(httpUrl, { sensor: 'tank', level: 14.25 });
    await level.getByText('14.25', { exact: true }).waitFor();
    await level.getByRole('img', { name: 'Chart of level of tank: from 12.5 to 14.25, now 14.25' }).waitFor();
    await expect.poll(() => drawnPixels(page), patiently).toBeGreaterThan(100);
    await tile(page, 'Sensors', '1');
    expect(misdeeds).toEqual(innocent);
    await page.close();
  });

  it('draws what was reported before it was opened', async () => {
    const { httpUrl } = await start();
    const nowMs = Date.now();
    const recent = [4, 3, 2, 1].map((minutes) => ({
      sensor: 'recent',
      v: minutes,
      time: nowMs - minutes * 60_000,
    }));
    const old = [1, 2, 3].map((n) => ({ sensor: 'old', v: n * 10, time: `2013-12-02T21:1${n}:00Z` }));
    await post(httpUrl, [...recent, ...old]);
    const { page, misdeeds } = await openPage(httpUrl);
    await page.getByRole('img', { name: 'Chart of v of recent: from 1 to 4, now 1' }).waitFor();
    await page.getByRole('img', { name: 'Chart of v of old: from 10 to 30, now 30' }).waitFor();
    await page
      .getByText(/^Oldest point 2013-12-0[23] · kept for ever · .+ used · .+ of disk left$/)
      .waitFor();
    expect(misdeeds).toEqual(innocent);
    await page.close();
  });

  it('counts the quarantined, and shows why', async () => {
    const { httpUrl } = await start();
    const { page, misdeeds } = await openPage(httpUrl);
    await tile(page, 'Quarantined', '0');
    await post(httpUrl, [
      { sensor: 'pump', flow: {} },
      { sensor: 'pump', flow: 3 },
    ]);
    await tile(page, 'Quarantined', '1');
    const row = page.locator('#refusals tbody tr');
    await row.getByText('wrong_type').waitFor();
    expect(await row.locator('.payload').textContent()).toContain('"flow":{}');
    expect(misdeeds).toEqual(innocent);
    await page.close();
  });

  it('finds its way among 200 sensors', async () => {
    const { httpUrl } = await start();
    const items = Array.from({ length: 200 }, (_, n) => ({
      sensor: `node-${n}`,
      location: n < 3 ? 'roof' : 'hall',
      v: n,
    }));
    await post(httpUrl, items);
    const { page, misdeeds } = await openPage(httpUrl);
    await tile(page, 'Sensors', '200');
    await expect.poll(() => page.getByRole('article').count(), patiently).toBe(24);
    expect(await page.getByRole('article').nth(10).getAttribute('data-sensor')).toBe('node-10');
    await page.getByRole('button', { name: 'Show 24 more of 176' }).click();
    await expect.poll(() => page.getByRole('article').count(), patiently).toBe(48);

    await page.keyboard.press('/');
    await page.keyboard.type('roof');
    await expect.poll(() => page.getByRole('article').count(), patiently).toBe(3);
    await page.getByText('3 of 200').waitFor();
    expect(misdeeds).toEqual(innocent);
    await page.close();
  });

  it('says when the connection is lost, and goes on where it was', async () => {
    const dataDir = await tempDir();
    const first = await startPlatform({ dataDir });
    const { port } = new URL(first.httpUrl);
    const { page, misdeeds } = await openPage(first.httpUrl);
    await post(first.httpUrl, { sensor: 'buoy', depth: 3.5 });
    await page.getByText('3.5', { exact: true }).waitFor();
    await first.end('SIGTERM');
    await page.getByRole('alert').getByText('Connection lost.').waitFor();

    const second = await startPlatform({ dataDir, env: { TIDEMARK_HTTP_PORT: port } });
    onTestFinished(async () => void (await second.end('SIGTERM')));
    await post(second.httpUrl, { sensor: 'buoy', depth: 7.25 });
    await page.getByText('7.25', { exact: true }).waitFor();
    await expect.poll(() => page.getByRole('alert').count(), patiently).toBe(0);
    expect(misdeeds.foreignRequests).toEqual([]);
    await page.close();
  });

  it('asks for a token where one is needed, and keeps it in its tab alone', async () => {
    const dataDir = await tempDir();
    const { stdout } = await runTidemark(['init', '--json'], { env: { TIDEMARK_DATA_DIR: dataDir } });
    const { token } = (JSON.parse(stdout) as { token: { token: string } }).token;
    const platform = await startPlatform({ dataDir, env: { TIDEMARK_HOST: '0.0.0.0' } });
    onTestFinished(async () => void (await platform.end('SIGTERM')));
    const url = `http://127.0.0.1:${new URL(platform.httpUrl).port}`;
    await post(url, { sensor: 'vault', humidity: 33.5 }, { authorization: `Bearer ${token}` });

    const { page, misdeeds } = await openPage(url);
    await page.getByRole('heading', { name: 'API token' }).waitFor();
    expect(misdeeds).toEqual(innocent);
    await page.getByLabel('Token').fill('not the token');
    await page.getByRole('button', { name: 'Show data' }).click();
    await page.getByText('That token was not accepted.').waitFor();
    await page.getByLabel('Token').fill(token);
    await page.getByRole('button', { name: 'Show data' }).click();
    const card = page.getByRole('article', { name: 'Sensor vault' });
    await card.getByText('33.5', { exact: true }).waitFor();
    // Live readings come with the token too.
    await post(url, { sensor: 'vault', humidity: 44.75 }, { authorization: `Bearer ${token}` });
    await card.getByText('44.75', { exact: true }).waitFor();
    expect(await page.evaluate(() => [localStorage.length, document.cookie])).toEqual([0, '']);
    expect(misdeeds.foreignRequests).toEqual([]);
    await page.close();
  });

  it('shows the API reference from here alone', async () => {
    const { httpUrl } = await start();
    const { page, misdeeds } = await openPage(`${httpUrl}/docs`);
    await page.getByRole('heading', { name: 'Record readings' }).waitFor();
    expect(misdeeds).toEqual(innocent);
    await page.close();
  });

  async function start(): Promise<PlatformProcess> {
    const platform = await startPlatform({ dataDir: await tempDir() });
    onTestFinished(async () => void (await platform.end('SIGTERM')));
    return platform;
  }
});

async function post(httpUrl: string, body: unknown, extra: Record<string, string> = {}): Promise<void> {
  const headers = { 'content-type': 'application/json', ...extra };
  const response = await fetch(`${httpUrl}/api/v1/readings`, {
    method: 'POST',
    headers,
    body: JSON.stringify(body),
  });
  expect(response.status).toBe(200);
}

async function tile(page: Page, name: string, value: string): Promise<void> {
  const tileOf = page.locator('.tile', { has: page.getByText(name, { exact: true }) });
  await tileOf.getByText(value, { exact: true }).waitFor();
}

/** History stands in the middle of its 2 s window, and points of one pixel (0.5 s) replace each other. */
function delayPastHistory(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1600));
}

/** How many pixels of the first chart are not empty. */
function drawnPixels(page: Page): Promise<number> {
  return page
    .locator('canvas')
    .first()
    .evaluate((canvas: HTMLCanvasElement) => {
      const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height);
      return data.filter((value, index) => index % 4 === 3 && value > 0).length;
    });
}
