import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { loadSettings } from './settings.ts';
import { settingsPage } from './settings-page.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

it('is what docs/configuration.md says', async () => {
  await expect(settingsPage()).toMatchFileSnapshot(join(root, 'docs/configuration.md'));
});

it('shows a file of settings that loads', () => {
  const [, yaml] = /```yaml\n(.*?)```/s.exec(settingsPage()) ?? [];
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-settings-'));
  writeFileSync(join(folder, 'tidemark.yaml'), yaml!);
  expect(loadSettings({ file: join(folder, 'tidemark.yaml'), env: {} }).store.kind).toBe('influxdb');
  rmSync(folder, { recursive: true });
});

it('has every default that the README names', () => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  const rows = [...readme.matchAll(/^\| `(TIDEMARK_\w+)` *\| `([^`]+)` *\|/gm)];
  expect(rows.length).toBeGreaterThan(3);
  const unaligned = settingsPage().replaceAll(/ +\|/g, ' |');
  for (const [, variable, value] of rows) expect(unaligned).toContain(`\`${variable}\` | \`${value}\` |`);
});
