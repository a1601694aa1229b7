// The seed scenario on the page, as `npm start -- --watch` serves it, and the pictures of it in light and in dark.
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { CliProcess } from '../cli/cli-process.ts';
import { repositoryUrl } from '../fixtures.ts';
import { openPage, shows, skip, startBrowser } from './browser.ts';

/** Kept for a person to look at; with UPDATE_PICTURES=1 those of the documentation are made anew. */
const PICTURES = fileURLToPath(
  repositoryUrl(process.env['UPDATE_PICTURES'] === '1' ? 'docs/images/' : '.tap/images/'),
);

t.test('the demo on the page', { skip, timeout: 400_000 }, async (t) => {
  const demo = new CliProcess('demo', '--scenario', 'power8-to-power9', '--watch');
  t.teardown(() => demo.child.kill('SIGKILL'));
  const url = await demo.said(/watch at (\S+)/);
  const browser = await startBrowser(t);
  const { page, errors } = await openPage(browser, url, { width: 1600, height: 900, colorScheme: 'dark' });
  page.setDefaultTimeout(180_000);
  await shows(page, '#now', /Completed and verified/);
  t.equal(
    await page.locator('#runs option').count(),
    2,
    'the refused run and the negotiated one can both be looked at',
  );
  await shows(page, '#negotiation', /16 MiB\s*1 GiB\s*1 GiB/);
  await page.locator('#time').focus();
  // Back to where half of the memory has come.
  for (
    let i = 0;
    i < 100 && !/with [3-6]\d % of its memory/.test((await page.locator('#now').textContent())!);
    i += 1
  ) {
    await page.keyboard.press('ArrowLeft');
  }
  mkdirSync(PICTURES, { recursive: true });
  await page.locator('h1').click();
  await page.screenshot({ path: `${PICTURES}watch.png` });
  await page.emulateMedia({ colorScheme: 'light' });
  await page.screenshot({ path: `${PICTURES}watch-light.png` });
  t.strictSame(errors, []);
  demo.child.kill('SIGINT');
  t.equal((await demo.result()).code, 0);
});
