// A headless Chromium for the tests of the page, which reach no network but this machine's.
import { execFileSync } from 'node:child_process';
import { type Browser, chromium, type Page } from 'playwright-core';

/** Bounded waits: a page that does not come to it by then never does. */
export const LIMIT_MS = 120_000;

function findChromium(): string | undefined {
  return ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) => {
    try {
      execFileSync(path, ['--version'], { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  });
}

const executablePath = findChromium();
/** For tests that need it: why they are skipped, or false. */
export const skip = executablePath === undefined && 'needs chromium: apt-get install chromium';

type Teardown = { teardown(action: () => unknown): void };

/** Starts the browser. */
export async function startBrowser(t: Teardown): Promise<Browser> {
  const browser = await chromium.launch({
    executablePath: executablePath!,
    args: ['--no-sandbox', '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'],
  });
  t.teardown(() => browser.close());
  return browser;
}

/** A page whose errors are gathered: scripts that threw, and what the security policy blocked. */
export async function openPage(
  browser: Browser,
  url: string,
  options: {
    readonly width?: number;
    readonly height?: number;
    readonly colorScheme?: 'light' | 'dark';
  } = {},
): Promise<{ readonly page: Page; readonly errors: string[] }> {
  const { width = 1280, height = 720, colorScheme = 'light' } = options;
  const page = await browser.newPage({ viewport: { width, height }, colorScheme });
  page.setDefaultTimeout(LIMIT_MS);
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (message) => {
    // A connection that is refused is what some tests are about.
    if (message.type() === 'error' && !message.text().includes('WebSocket')) errors.push(message.text());
  });
  await page.goto(url);
  return { page, errors };
}

/** Waits until an element's text matches. */
export async function shows(page: Page, selector: string, text: RegExp): Promise<void> {
  await page.locator(selector, { hasText: text }).waitFor();
}
