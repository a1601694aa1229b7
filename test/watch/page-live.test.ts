// The page watches a real migration between two processes: it steers it, shows its stalls, saves it, and mends what is lost.
import t from 'tap';
import { CliProcess } from '../cli/cli-process.ts';
import { temporaryDirectory } from '../e2e/command.ts';
import { openPage, shows, skip, startBrowser } from './browser.ts';

t.test('a migration on the page', { skip, timeout: 300_000 }, async (t) => {
  const programs: CliProcess[] = [];
  const start = (...args: string[]): CliProcess => {
    const program = new CliProcess(...args);
    programs.push(program);
    return program;
  };
  t.teardown(() => {
    for (const { child } of programs) child.kill('SIGKILL');
  });
  const feed = ['--feed', '127.0.0.1:0', '--control'];
  const destination = start('destination', '--incoming', 'tcp:127.0.0.1:0', '--host-page', '2M', ...feed);
  const [destinationFeed, uri] = await Promise.all([
    destination.said(/feed on (\S+)\n/),
    destination.said(/listening on (\S+)\n/),
  ]);
  const guest = ['-m', '192M', '--postcopy-after', 'never', '--downtime-limit', '0', '--warm-up', '0'];
  const source = start(
    'source',
    '--migrate',
    uri,
    ...guest,
    '--link',
    '1gbit',
    '--rtt',
    '1ms',
    '--hold',
    ...feed,
  );
  const sourceFeed = await source.said(/feed on (\S+)\n/);
  const watchArgs = ['--source', sourceFeed, '--destination', destinationFeed, '--control'];
  const watch = start('watch', ...watchArgs, '--port', '0');
  const url = await watch.said(/watch at (\S+)\n/);

  const browser = await startBrowser(t);
  const { page, errors } = await openPage(browser, url);
  const second = await openPage(browser, url, { colorScheme: 'dark' });

  await shows(page, '#now', /waits to be started/);
  await page.locator('[data-action="start"]').click();
  await shows(page, '#states-source', /active/);
  t.pass('it starts when the reader says so');
  await shows(page, '#map-legend', /precopy\s*\d/);
  t.pass('the map fills');
  await page.locator('[data-action="switch"]').click();
  await shows(page, '#states-destination', /postcopy-active|completed/);
  await shows(page, '#lanes-figure', /\d+ stalls/);
  t.pass('it switches to postcopy, and stalls appear in the lanes');
  await shows(page, '#now', /Completed and verified/);
  await shows(second.page, '#now', /Completed and verified/);
  t.pass('both viewers see it completed and verified');

  await page.locator('#lanes').focus();
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Enter');
  await shows(page, '#anatomy', /vCPU \d touched pc\.ram at 0x/);
  t.pass('a stall opens its anatomy');
  await page.keyboard.press('Escape');
  t.equal(await page.locator('#anatomy').isVisible(), false);

  const [download] = await Promise.all([page.waitForEvent('download'), page.locator('#save').click()]);
  const file = `${temporaryDirectory(t)}/${download.suggestedFilename()}`;
  await download.saveAs(file);
  t.match(file, /\.postcopy-run$/);

  const { port } = new URL(url);
  watch.child.kill('SIGINT');
  await watch.result();
  await shows(page, '#notice', /The connection to the watch is lost/);
  await shows(page, '#now', /Completed and verified/);
  t.pass('a lost connection is said, and what was seen stays');
  const saved = start('watch', file, '--port', port);
  await saved.said(/watch at (\S+)\n/);
  await page.locator('#notice').waitFor({ state: 'hidden' });
  t.pass('and it is mended');

  const { page: reader, errors: readerErrors } = await openPage(browser, url);
  await shows(reader, '#now', /Completed and verified/);
  await reader.locator('#time').focus();
  await reader.keyboard.press('Home');
  await shows(reader, '#now', /waits to be started|has not begun|listens/);
  for (let i = 0; i < 5; i += 1) await reader.keyboard.press('Shift+ArrowRight');
  await shows(reader, '#now', /runs at the (source|destination)/);
  t.pass('a saved run opens again by postcopy watch FILE, and is scrubbed');
  await reader.locator('#file').setInputFiles(file);
  await shows(reader, '#notice', /Saved run: migration/);
  await shows(reader, '#now', /Completed and verified/);
  t.pass('and in the page itself');
  t.strictSame([...errors, ...second.errors, ...readerErrors], [], 'nothing went wrong in a script');
});
