import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { flowOf } from '../support/flow.ts';
import { startFlows, type TestFlows } from '../support/flows-platform.ts';
import { hasBrowser, innocent, openerOfPages } from './browser.ts';

const types = [
  'readings-in',
  'threshold',
  'window',
  'query',
  'alert',
  'reading-out',
  'command',
  'heartbeat',
].map((name) => `tidemark-${name}`);

/** The part of the editor's API that the tests drive it by. */
declare const RED: {
  nodes: { node(id: string): Record<string, unknown> };
  editor: { edit(node: object): void; editConfig(property: string, type: string, id: string): void };
  actions: { invoke(name: string): void };
};

describe.skipIf(!hasBrowser)("the nodes in Node-RED's editor, in Chromium", () => {
  const openPage = openerOfPages();
  let flows: TestFlows;
  beforeAll(async () => {
    flows = await startFlows({ hasEditor: true });
    const nodes = types.map((type, index) => ({ id: type, type, x: 200, y: 60 + 60 * index, wires: [] }));
    await flows.nodeRed.deploy(flowOf(nodes));
  });
  afterAll(() => flows?.stop());

  it('stand in the palette, and their forms open with every text and default, without an error', async () => {
    const { page, misdeeds } = await openPage(flows.nodeRed.url);
    await page.locator('#red-ui-palette-container-Tidemark').waitFor();
    for (const type of types) {
      expect(await page.locator(`.red-ui-palette-node[data-palette-type="${type}"]`).count()).toBe(1);
      await page.evaluate((id) => RED.editor.edit(RED.nodes.node(id)), type);
      const form = page.locator('#dialog-form');
      await form.waitFor();
      const labels = await form.locator('label span').allTextContents();
      expect([type, labels.filter((label) => label === '' || label.includes('.'))]).toEqual([type, []]);
      // What the node does not do until it is filled in is not wrong in its form.
      expect(await form.locator('#node-input-version').inputValue()).toBe('1');
      await page.locator('#node-dialog-cancel').click();
      await form.waitFor({ state: 'detached' });
    }
    await page.evaluate(() => RED.editor.editConfig('', 'tidemark-server', 'server'));
    await page.locator('#node-config-input-token').waitFor();
    expect(await page.locator('#node-config-input-apiUrl').getAttribute('placeholder')).toBe(
      'http://127.0.0.1:8080',
    );
    await page.locator('#node-config-dialog-cancel').click();
    // Of a node without a name, and without a version.
    expect(await page.getByText('mean of 5m', { exact: true }).count()).toBe(1);
    expect(misdeeds).toEqual(innocent);
    await page.close();
  }, 120_000);

  it('show only the rows that count, and save what was written by hand as of today', async () => {
    const { page, misdeeds } = await openPage(flows.nodeRed.url);
    await page.locator('#red-ui-palette-container-Tidemark').waitFor();
    expect(await page.evaluate(() => RED.nodes.node('tidemark-threshold').version)).toBeUndefined();
    await page.evaluate(() => RED.editor.edit(RED.nodes.node('tidemark-threshold')));
    const isShown = (name: string) => page.locator(`#node-input-${name}`).isVisible();
    await page.locator('#node-input-level').waitFor();
    expect(await Promise.all(['level', 'clear', 'low', 'absentFor'].map(isShown))).toEqual([
      true,
      true,
      false,
      false,
    ]);
    await page.locator('#node-input-condition').selectOption('outside');
    expect(await Promise.all(['level', 'clear', 'low', 'absentFor'].map(isShown))).toEqual([
      false,
      false,
      true,
      false,
    ]);
    await page.locator('#node-input-metric').fill('temperature');
    await page.locator('#node-input-low').fill('5');
    await page.locator('#node-input-high').fill('30');
    await page.locator('#node-dialog-ok').click();
    await page.locator('#dialog-form').waitFor({ state: 'detached' });
    const saved = await page.evaluate(() => {
      const { version, condition, low, high, valid } = RED.nodes.node('tidemark-threshold');
      return { version: Number(version), condition, low: Number(low), high: Number(high), valid };
    });
    expect(saved).toEqual({ version: 1, condition: 'outside', low: 5, high: 30, valid: true });
    expect(misdeeds).toEqual(innocent);
    await page.close();
  }, 120_000);

  it('come with examples that are imported and deployed', async () => {
    const { nodeRed } = flows;
    await nodeRed.deploy([{ id: 'empty', type: 'tab', label: 'Empty' }]);
    const { page, misdeeds } = await openPage(nodeRed.url);
    await page.locator('#red-ui-palette-container-Tidemark').waitFor();
    await importExample(page, '1-too-hot-fan');
    nodeRed.forget();
    await page.locator('#red-ui-header-button-deploy').click();
    await page.getByText('Successfully deployed').first().waitFor();
    const rules = async () =>
      (await flows.ask('GET', '/api/v1/rules')).json.items as Record<string, unknown>[];
    await expect.poll(async () => (await rules()).some(({ above }) => above === 20)).toBe(true);
    expect(misdeeds).toEqual(innocent);
    await page.close();
  }, 120_000);
});

async function importExample(page: Page, name: string): Promise<void> {
  await page.evaluate(() => RED.actions.invoke('core:show-examples-import-dialog'));
  const dialog = page.getByRole('dialog');
  await dialog.getByText('@tidemark/node-red', { exact: true }).click();
  await dialog.getByText(name, { exact: true }).click();
  await page.locator('#red-ui-clipboard-dialog-ok').click();
  await page
    .getByText(/imported|Imported/)
    .first()
    .waitFor();
}
