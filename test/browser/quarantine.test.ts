import type { Page } from 'playwright-core';
import { describe, expect, it, onTestFinished } from 'vitest';
import { allReadings } from '../support/all-readings.ts';
import { type PlatformProcess, startPlatform } from '../support/platform-process.ts';
import { RawMqtt } from '../support/raw-mqtt.ts';
import { tempDir } from '../support/temp-dir.ts';
import { hasBrowser, innocent, openerOfPages } from './browser.ts';

describe.skipIf(!hasBrowser)('the quarantine view, in Chromium', { timeout: 60_000 }, () => {
  const openPage = openerOfPages();

  it('says so when nothing was refused, and is reached from the first page', async () => {
    const { httpUrl } = await start(await tempDir());
    const { page, misdeeds } = await openPage(httpUrl);
    await page.getByRole('link', { name: 'Quarantine' }).click();
    await page.getByText('Nothing refused').waitFor();
    await post(httpUrl, [{ sensor: 'pump', flow: {} }], 422);
    await page.getByRole('row', { name: /pump/ }).waitFor();
    await page.getByRole('link', { name: 'Sensors' }).click();
    await page.locator('#refusals tbody tr').waitFor();
    expect(misdeeds).toEqual(innocent);
    await page.close();
  });

  it('says what would become of a message', async () => {
    const { httpUrl } = await start(await tempDir());
    const { page, misdeeds } = await openPage(`${httpUrl}/#/quarantine`);
    await page.getByText('Why is my message not there?').click();
    await page.getByLabel('Topic').fill('sensors/kitchen/temperature');
    await page.getByLabel('Payload').fill('21,5');
    await page.getByRole('button', { name: 'Follow it' }).click();
    await page.getByText('It would be quarantined.').waitFor();
    await page.locator('.steps .stopped').getByText('malformed_json').waitFor();
    await page.getByLabel('Payload').fill('21.5');
    await page.getByRole('button', { name: 'Follow it' }).click();
    await page.getByText('It would be stored.').waitFor();
    expect(await allReadings(httpUrl)).toEqual([]);
    expect(misdeeds).toEqual(innocent);
    await page.close();
  });

  it('counts by reason, and filters by reason and sensor', async () => {
    const { httpUrl } = await start(await tempDir());
    await refuseSome(httpUrl);
    const { page, misdeeds } = await openPage(`${httpUrl}/#/quarantine`);
    await chip(page, 'All 5').waitFor();
    await chip(page, 'missing_value 3').click();
    await rows(page, 3);
    await page.getByRole('button', { name: 'Replay all 3' }).waitFor();
    await page.getByLabel('Sensor').fill('pump');
    await page.getByLabel('Sensor').press('Enter');
    await rows(page, 2);
    await chip(page, 'wrong_type 1').waitFor();
    await page.getByLabel('Sensor').fill('nobody');
    await page.getByLabel('Sensor').press('Enter');
    await page.getByText('No refusal matches.').waitFor();
    expect(misdeeds).toEqual(innocent);
    await page.close();
  });

  it('replays one and all that match, and says what came of it', async () => {
    const dataDir = await tempDir();
    const first = await start(dataDir, { TIDEMARK_MAX_FIELDS_PER_READING: '1' });
    await post(
      first.httpUrl,
      [1, 2, 3].map((n) => ({ sensor: `s${n}`, a: n, b: n })),
      422,
    );
    await post(first.httpUrl, [{ sensor: 'bad', a: null }], 422);
    await first.end('SIGTERM');
    const { httpUrl } = await start(dataDir);
    const { page, misdeeds } = await openPage(`${httpUrl}/#/quarantine`);
    await page.getByRole('row', { name: /"s2"/ }).getByRole('button', { name: 'Replay' }).click();
    await status(page, '1 replayed.');
    await rows(page, 3);
    await page.getByRole('button', { name: 'Replay all 3' }).click();
    await status(page, '2 replayed, 1 refused again (missing_value 1).');
    await rows(page, 1);
    expect((await allReadings(httpUrl)).map(({ sensor }) => sensor).sort()).toEqual(['s1', 's2', 's3']);
    expect(misdeeds).toEqual(innocent);
    await page.close();
  });

  it('discards one, and many only after it has asked', async () => {
    const { httpUrl } = await start(await tempDir());
    await refuseSome(httpUrl);
    const { page, misdeeds } = await openPage(`${httpUrl}/#/quarantine`);
    await page
      .getByRole('row', { name: /wrong_type/ })
      .first()
      .getByRole('button', { name: 'Discard' })
      .click();
    await status(page, '1 discarded.');
    await chip(page, 'missing_value 3').click();
    await page.getByRole('button', { name: 'Discard all 3…' }).click();
    await page.getByText('Discard 3 for good?').waitFor();
    await page.getByRole('button', { name: 'Keep' }).click();
    await page.getByRole('button', { name: 'Discard all 3…' }).click();
    await page.locator('.act').getByRole('button', { name: 'Discard', exact: true }).click();
    await status(page, '3 discarded.');
    await chip(page, 'All 1').click();
    await rows(page, 1);
    expect(misdeeds).toEqual(innocent);
    await page.close();
  });

  it('shows text as text, bytes as hex, and says what goes wrong', async () => {
    const { httpUrl, mqttUrl } = await start(await tempDir());
    const device = await RawMqtt.connect(mqttUrl, 'device');
    device.publish('sensors/raw', Buffer.from([0x31, 0xff]));
    await device.until(({ cmd }) => cmd === 'puback');
    device.end();
    await post(httpUrl, [{ sensor: 'long', a: { text: 'x'.repeat(300) } }], 422);
    const { page } = await openPage(`${httpUrl}/#/quarantine`);
    await page.locator('td summary').click();
    expect(await page.locator('pre.payload').textContent()).toContain('x'.repeat(300));
    await page
      .getByRole('row', { name: /invalid_utf8/ })
      .getByText('hex: 31ff')
      .waitFor();
    // Somebody else is faster.
    await page.route('**/replay?*', async (route) => {
      await fetch(`${httpUrl}/api/v1/quarantine?all=true`, { method: 'DELETE' });
      await route.continue();
    });
    await page
      .getByRole('row', { name: /invalid_utf8/ })
      .getByRole('button', { name: 'Replay' })
      .click();
    await page.getByText('there is no such refusal').waitFor();
    await page.close();
  });

  async function start(dataDir: string, env: Record<string, string> = {}): Promise<PlatformProcess> {
    const platform = await startPlatform({ dataDir, env });
    onTestFinished(async () => void (await platform.end('SIGTERM')));
    return platform;
  }
});

/** Three values missing and two of a wrong type, of two sensors. */
async function refuseSome(httpUrl: string): Promise<void> {
  const items = [
    { sensor: 'pump', a: null },
    { sensor: 'pump', b: null },
    { sensor: 'pump', c: {} },
    { sensor: 'fan', a: null },
    { sensor: 'fan', c: [] },
  ];
  await post(httpUrl, items, 422);
}

async function post(httpUrl: string, body: unknown, status: number): Promise<void> {
  const response = await fetch(`${httpUrl}/api/v1/readings`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  expect(response.status).toBe(status);
}

function chip(page: Page, name: string) {
  return page.locator('.chips').getByRole('button', { name, exact: true });
}

async function rows(page: Page, count: number): Promise<void> {
  await expect.poll(() => page.locator('#quarantine tbody tr').count(), { timeout: 20_000 }).toBe(count);
}

async function status(page: Page, text: string): Promise<void> {
  await page.locator('#quarantine .outcome').getByText(text, { exact: true }).waitFor();
}
