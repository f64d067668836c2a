import { describe, expect, it, onTestFinished } from 'vitest';
import { startPlatform } from '../support/platform-process.ts';
import { tempDir } from '../support/temp-dir.ts';
import { hasBrowser, innocent, openerOfPages } from './browser.ts';

describe.skipIf(!hasBrowser)('the view of services, in Chromium', { timeout: 60_000 }, () => {
  const openPage = openerOfPages();

  it('shows who is up, who falls silent, and who is no longer watched, as it happens', async () => {
    const platform = await startPlatform({ dataDir: await tempDir() });
    onTestFinished(async () => void (await platform.end('SIGTERM')));
    const beat = async (body: object) => {
      const headers = { 'content-type': 'application/json' };
      const request = { method: 'POST', headers, body: JSON.stringify(body) };
      expect((await fetch(`${platform.httpUrl}/api/v1/heartbeats`, request)).status).toBe(200);
    };
    const { page, misdeeds } = await openPage(platform.httpUrl);
    await page.getByRole('link', { name: 'Services' }).click();
    const row = (service: string) => page.locator(`tr[data-service="${service}"]`);
    await row('tidemark.spool').getByText('part of Tidemark').waitFor();
    await beat({ service: 'billing', latencyMs: 12.5 });
    await row('billing').getByText('12.5 ms').waitFor();
    expect(await row('tidemark.spool').getByRole('button').count()).toBe(0);

    await beat({ service: `mailer "1" <b>`, timeoutMs: 1000 });
    const mailer = page.locator('tbody tr', { hasText: 'mailer "1" <b>' });
    await mailer.getByText('down', { exact: true }).waitFor();
    await mailer.getByText(/^no heartbeat for \d+ s$/).waitFor();
    await page.getByText(/^1 of \d+ down\./).waitFor();
    // What is down stands first.
    expect(await page.locator('tbody tr').first().textContent()).toContain('mailer');

    await mailer.getByRole('button', { name: 'Stop watching' }).click();
    await mailer.waitFor({ state: 'detached' });
    await page.getByText(/^All \d+ are up\./).waitFor();
    expect(misdeeds).toEqual(innocent);
    await page.close();
  });
});
