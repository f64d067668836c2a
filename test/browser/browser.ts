import { requireTool } from '@tidemark/store/testing';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
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

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: executablePath!, args });
}

/** What a page did that it should not. */
export interface Misdeeds {
  /** Errors on the console and uncaught ones. */
  errors: string[];
  /** Requests to anywhere but the platform. */
  foreignRequests: string[];
}

/** A new page that is watched. */
export async function openPage(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<{ page: Page; misdeeds: Misdeeds }> {
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
