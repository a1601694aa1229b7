// The page, fed by a server that means harm: it refuses, says so, answers its reader all the while, and shows a good run after it.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { type WebSocket, WebSocketServer } from 'ws';
import { mix32 } from '../../src/machine/mix32.ts';
import { readPageFiles } from '../../src/watch/page-files.ts';
import { openPage, shows, skip, startBrowser } from './browser.ts';
import { hostileFrames } from './hostile-feed.ts';
import { syntheticRun } from './synthetic-run.ts';

/** Serves the page's own files, and a socket that checks nothing of what it sends. */
async function serveUnchecked(t: { teardown(action: () => unknown): void }) {
  const files = readPageFiles();
  const http = createServer((asked, response) => {
    const file = files.get(asked.url ?? '');
    response.writeHead(file === undefined ? 404 : 200, { 'content-type': file?.type ?? 'text/plain' });
    response.end(file?.content);
  });
  const sockets = new WebSocketServer({ server: http, handleProtocols: (offered) => [...offered][0]! });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  t.teardown(() => {
    for (const socket of sockets.clients) socket.terminate();
    http.closeAllConnections();
    http.close();
  });
  return { url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/`, sockets };
}

t.test('a hostile feed', { skip, timeout: 240_000 }, async (t) => {
  const { url, sockets } = await serveUnchecked(t);
  const joined = once(sockets, 'connection') as Promise<[WebSocket]>;
  const browser = await startBrowser(t);
  const { page, errors } = await openPage(browser, url);
  const [socket] = await joined;
  const good = syntheticRun({ run: 'first', entries: 4096 });
  for (const bytes of good.slice(0, 60)) socket.send(bytes);
  for (let i = 0; i < 8; i += 1) for (const bytes of hostileFrames()) socket.send(bytes);
  for (let i = 0; i < 20_000; i += 1) {
    const bytes = Buffer.from(good[mix32(i) % good.length]!);
    bytes[mix32(i * 3) % bytes.length] = mix32(i * 5);
    socket.send(i % 3 === 0 ? bytes.map((byte, index) => byte ^ mix32(i + index)) : bytes);
  }
  await page.locator('#words-button').click();
  await page.locator('#words').waitFor();
  await page.locator('#words-close').click();
  t.pass('its reader is answered while all that comes');
  await shows(page, '#notice', /frames were refused/);
  t.pass('it says that frames were refused');
  for (const bytes of syntheticRun({ run: 'second', startNs: 9e12 })) socket.send(bytes);
  await shows(page, '#now', /Completed and verified/);
  t.pass('and shows a good run after it');
  t.strictSame(errors, []);
});

t.test('millions of pages', { skip, timeout: 240_000 }, async (t) => {
  const { url, sockets } = await serveUnchecked(t);
  const joined = once(sockets, 'connection') as Promise<[WebSocket]>;
  const browser = await startBrowser(t);
  const { page, errors } = await openPage(browser, url);
  const [socket] = await joined;
  for (const bytes of syntheticRun({ entries: 2 ** 22, unitBytes: 4096, sparse: true })) socket.send(bytes);
  await shows(page, '#now', /Completed and verified/);
  await shows(page, '#map-titles span', /16 GiB/);
  const box = (await page.locator('#map').boundingBox())!;
  await page.mouse.move(box.x + box.width / 3, box.y + box.height / 2);
  await shows(page, '#tip', /pages\s*\d+ of 4 KiB/);
  for (let i = 0; i < 18; i += 1) await page.mouse.wheel(0, -100);
  await shows(page, '#map-titles span', /a cell is 4 KiB/);
  await page.mouse.move(box.x + box.width / 3 + 3, box.y + box.height / 2);
  await shows(page, '#tip', /state/);
  t.pass('are aggregated, and zoomed down to one');
  await page.locator('#time').focus();
  for (let i = 0; i < 4; i += 1) await page.keyboard.press('Shift+ArrowLeft');
  await shows(page, '#now', /runs at the destination/);
  t.pass('and scrubbed');
  t.strictSame(errors, []);
});
