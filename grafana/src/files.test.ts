import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { generatedFiles } from './files.ts';
import { PROVISIONING } from './folder.ts';

const files = generatedFiles();

it.each([...files.keys()])('%s is what the code makes; else run `npm run dashboards`', (path) => {
  const file = new URL(path, PROVISIONING);
  expect(existsSync(file) && readFileSync(file, 'utf8')).toBe(files.get(path));
});

it('no dashboard is left from before', () => {
  const folder = 'dashboards/tidemark/';
  const there = readdirSync(new URL(folder, PROVISIONING)).map((name) => folder + name);
  expect(there.toSorted()).toEqual([...files.keys()].filter((path) => path.startsWith(folder)).toSorted());
});
