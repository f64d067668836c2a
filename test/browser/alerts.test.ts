import type { Page } from 'playwright-core';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startPlatform } from '../support/platform-process.ts';
import { tempDir } from '../support/temp-dir.ts';
import { hasBrowser, innocent, openerOfPages } from './browser.ts';

const rule = {
  id: 'too-hot',
  metric: 'temperature',
  sensors: 'greenhouse-*',
  above: 30,
  clear: 28,
  severity: 'critical',
  message: '{sensor} is at {value} °C',
};

describe.skipIf(!hasBrowser)('the view of alerts, in Chromium', { timeout: 60_000 }, () => {
  const openPage = openerOfPages();

  it('shows an alert fire, be acknowledged, silenced and resolved, as it happens', async () => {
    const { httpUrl, post } = await start();
    const { page, misdeeds } = await openPage(httpUrl);
    await page.getByRole('link', { name: 'Alerts' }).click();
    await page.getByText('There are no rules yet.').waitFor();
    await post('rules?unknownMetric=allow', rule, 201);
    await page.getByText('Nothing fires.').waitFor();

    await post('readings', { sensor: 'greenhouse-1', temperature: 31.5 });
    const row = rowOf(page, 'too-hot:greenhouse-1');
    await row.getByText('firing').waitFor();
    await row.getByText('greenhouse-1 is at 31.5 °C').waitFor();
    await page.getByRole('link', { name: 'Alerts 1' }).waitFor();

    await row.getByRole('button', { name: 'Acknowledge' }).click();
    await page.getByLabel('Your name').fill('ann');
    await page.getByLabel('Comment').fill('on my way');
    await page.locator('form').getByRole('button', { name: 'Acknowledge' }).click();
    await row.getByText('ann: on my way').waitFor();
    await row.getByText('acknowledged').waitFor();
    expect(await row.getByRole('button', { name: 'Acknowledge' }).count()).toBe(0);

    // Somebody else's, told by the platform while the page is open.
    await post('alerts', { rule: 'pump-check', sensor: 'pump-1', message: 'the pump hums' });
    const pump = rowOf(page, 'pump-check:pump-1');
    await pump.getByText('program').waitFor();
    await pump.getByRole('button', { name: 'Silence' }).click();
    // The name is remembered.
    expect(await page.getByLabel('Your name').inputValue()).toBe('ann');
    await page.getByRole('combobox').selectOption('8h');
    await page.locator('form').getByRole('button', { name: 'Silence' }).click();
    await pump.getByText('silenced').waitFor();
    await page.locator('#silences').getByRole('button', { name: 'End' }).click();
    await pump.getByText('firing').waitFor();
    await pump.getByRole('button', { name: 'Resolve' }).click();
    await page.getByRole('button', { name: 'Resolve by hand' }).click();
    await pump.waitFor({ state: 'detached' });

    await post('readings', { sensor: 'greenhouse-1', temperature: 20 });
    await page.getByText('Nothing fires.').waitFor();
    const changes = page.locator('#changes tbody tr');
    expect(await changes.first().textContent()).toContain('resolvedtoo-hot:greenhouse-1');
    expect(await changes.count()).toBe(7);
    expect(misdeeds).toEqual(innocent);
    await page.close();
  });

  it('lists the rules, and tells how often each would have fired', async () => {
    const { httpUrl, post } = await start();
    await post('rules?unknownMetric=allow', rule, 201);
    for (const temperature of [31, 20, 32]) await post('readings', { sensor: 'greenhouse-1', temperature });
    const { page, misdeeds } = await openPage(`${httpUrl}/#/alerts`);
    const row = page.locator('tr[data-rule="too-hot"]');
    await row.getByText('temperature above 30 (greenhouse-*)').waitFor();
    await row.getByRole('button', { name: 'How often?' }).click();
    await row.getByText('2 times in 30 days, by one sensor').waitFor();
    expect(misdeeds).toEqual(innocent);
    await page.close();
  });

  it('says why something cannot be done', async () => {
    const { httpUrl, post } = await start();
    await post('alerts', { rule: 'pump-check' });
    const { page } = await openPage(`${httpUrl}/#/alerts`);
    const row = rowOf(page, 'pump-check:-');
    await row.getByRole('button', { name: 'Acknowledge' }).click();
    // Somebody else is faster.
    await page.route('**/ack', async (route) => {
      await post('alerts', { rule: 'pump-check', state: 'resolved' });
      await route.continue();
    });
    await page.locator('form').getByRole('button', { name: 'Acknowledge' }).click();
    await page.getByRole('alert').getByText('alert pump-check:- is resolved, not firing').waitFor();
    await page.close();
  });
});

function rowOf(page: Page, id: string) {
  return page.locator(`tr[data-id="${id}"]`);
}

async function start() {
  const platform = await startPlatform({ dataDir: await tempDir() });
  onTestFinished(async () => void (await platform.end('SIGTERM')));
  const { httpUrl } = platform;
  const post = async (path: string, body: object, status = 200): Promise<void> => {
    const headers = { 'content-type': 'application/json' };
    const request = { method: 'POST', headers, body: JSON.stringify(body) };
    expect((await fetch(`${httpUrl}/api/v1/${path}`, request)).status).toBe(status);
  };
  return { httpUrl, post };
}
