import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const { stdout } = spawnSync(
  'git',
  ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '*.md'],
  {
    cwd: root,
    encoding: 'utf8',
  },
);
const pages = stdout.split('\0').filter((path) => path !== '' && existsSync(join(root, path)));

it.each(pages)('every link in %s leads somewhere', (page) => {
  const text = readFileSync(join(root, page), 'utf8');
  const broken = linksIn(text).filter((link) => !leadsSomewhere(page, text, link));
  expect(broken).toEqual([]);
});

it('there are pages to look at', () => {
  expect(pages).toEqual(expect.arrayContaining(['README.md', 'ARCHITECTURE.md']));
});

/** Relative links of Markdown, without those in code. */
function linksIn(text: string): string[] {
  const prose = text.replace(/^```[\s\S]*?^```/gm, '').replace(/`[^`\n]*`(?!\])/g, '');
  return Array.from(prose.matchAll(/\]\(([^()\s]+)\)/g), ([, link]) => link!).filter(
    (link) => !/^[a-z]+:/.test(link),
  );
}

function leadsSomewhere(page: string, text: string, link: string): boolean {
  const [path = '', anchor] = link.split('#');
  const target = join(root, dirname(page), path);
  if (path !== '' && !existsSync(target)) return false;
  if (anchor === undefined) return true;
  const headings = (path === '' ? text : readFileSync(target, 'utf8')).matchAll(/^#+ (.*)$/gm);
  return Array.from(headings, ([, heading]) => slugOf(heading!)).includes(anchor);
}

/** The anchor that GitHub gives a heading. */
function slugOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replace(/\s/g, '-');
}
