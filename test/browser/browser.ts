import { requireTool } from '@tidemark/store/testing';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll } from 'vitest';
import { buildWeb } from '../../web/build.ts';
import { findProgram } from '../support/find-program.ts';

const executablePath =
  findProgram('chromium') ?? findProgram('chromium-browser') ?? findProgram('google-chrome');

/** False where tests in a browser have to be skipped. */
export const hasBrowser = requireTool('Chromium', executablePath);

// The sandbox needs rights that a container lacks, and the rest would reach out to the network by itself.
const args = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Builds the page and starts one browser for the tests of a suite; what it answers opens pages in it. */
export function openerOfPages(): (url: string, options?: BrowserContextOptions) => Promise<WatchedPage> {
  let browser: Browser | undefined;
  beforeAll(async () => {
    await buildWeb();
    browser = await chromium.launch({ executablePath: executablePath!, args });
  }, 60_000);
  afterAll(() => browser?.close());
  return (url, options) => openPage(browser!, url, options);
}

/** What a page did that it should not. */
interface Misdeeds {
  /** Errors on the console and uncaught ones. */
  errors: string[];
  /** Requests to anywhere but the platform. */
  foreignRequests: string[];
}

/** Of a page that did nothing it should not. */
export const innocent: Misdeeds = { errors: [], foreignRequests: [] };

interface WatchedPage {
  page: Page;
  misdeeds: Misdeeds;
}

async function openPage(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<WatchedPage> {
  const page = await browser.newPage({ locale: 'en-GB', ...options });
  const misdeeds: Misdeeds = { errors: [], foreignRequests: [] };
  page.on('pageerror', (error) => misdeeds.errors.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') misdeeds.errors.push(message.text());
  });
  page.on('request', (request) => {
    const { origin, protocol } = new URL(request.url());
    if (origin !== new URL(url).origin && protocol !== 'data:') misdeeds.foreignRequests.push(request.url());
  });
  await page.goto(url);
  return { page, misdeeds };
}
