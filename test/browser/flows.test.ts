import { describe, expect, it } from 'vitest';
import { startFlows } from '../support/supervised-flows.ts';
import { hasBrowser, innocent, openerOfPages } from './browser.ts';

describe.skipIf(!hasBrowser)('flows, in Chromium', { timeout: 60_000 }, () => {
  const openPage = openerOfPages();

  it('are linked from the page where they run, and their editor asks nobody else for anything', async () => {
    const { platform, flowsUrl } = await startFlows();
    const { page } = await openPage(platform.httpUrl);
    const link = page.getByRole('link', { name: 'Flows' });
    await link.waitFor();
    expect(await link.evaluate((node) => (node as HTMLAnchorElement).href)).toBe(`${flowsUrl}/`);
    await page.close();

    const { page: editor, misdeeds } = await openPage(flowsUrl);
    await editor.getByText('Deploy').first().waitFor();
    await editor.locator('#red-ui-palette .red-ui-palette-node').first().waitFor();
    expect(misdeeds).toEqual(innocent);
    await editor.close();
  });
});
