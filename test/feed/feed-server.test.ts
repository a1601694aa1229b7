// What a feed's server lets in: viewers that speak its protocol, of its own origin, few enough, and alive.
import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import { decodeFrame, encodeControl } from '../../src/feed/feed-codec.ts';
import { FeedHub } from '../../src/feed/feed-hub.ts';
import type { FeedFrame } from '../../src/feed/feed-messages.ts';
import { type Control, FeedServer } from '../../src/feed/feed-server.ts';

const PROTOCOL = 'postcopy-feed-1';
const START = encodeControl({ kind: 'control', action: 'start' });

async function serve(t: Test, control?: Control, pingMs?: number) {
  const hub = new FeedHub('source', { control: control !== undefined, hold: false, repeat: false });
  hub.begin({
    hello: () => ({ run: 'r', startedAt: 0, blocks: [], vcpus: 0, link: null, channels: 1 }),
    pages: undefined,
    tick: () => [],
  });
  const more = pingMs === undefined ? {} : { pingMs };
  const server = await FeedServer.listen({ host: '127.0.0.1', port: 0, hub, control, ...more });
  t.teardown(() => server.close());
  return { hub, server, port: new URL(server.url).port };
}

function view(url: string, options: ConstructorParameters<typeof WebSocket>[2] = {}): WebSocket {
  return new WebSocket(url, PROTOCOL, options);
}

/** HTTP status with which an upgrade was refused. */
async function refused(socket: WebSocket): Promise<number | undefined> {
  socket.on('error', () => undefined);
  const [, response] = (await once(socket, 'unexpected-response')) as [unknown, { statusCode?: number }];
  socket.terminate();
  return response.statusCode;
}

async function nextFrame(socket: WebSocket): Promise<FeedFrame> {
  const [data] = (await once(socket, 'message')) as [Buffer];
  return decodeFrame(data);
}

async function answer(socket: WebSocket): Promise<FeedFrame> {
  for (;;) {
    const frame = await nextFrame(socket);
    if (frame.kind === 'control-answer') return frame;
  }
}

t.test('a viewer is told who this is', async (t) => {
  const { server } = await serve(t);
  const socket = view(server.url);
  const frame = await nextFrame(socket);
  t.equal(frame.kind, 'hello');
  t.equal(socket.protocol, PROTOCOL);
  socket.close();
});

t.test('two viewers see the same frames', async (t) => {
  const { server, hub } = await serve(t);
  const sockets = [view(server.url), view(server.url)];
  await Promise.all(sockets.map(nextFrame));
  const seen = Promise.all(sockets.map(nextFrame));
  hub.tell({ kind: 'state', state: 'active' });
  const [one, other] = await seen;
  t.same(one, other);
  for (const socket of sockets) socket.close();
});

t.test('pages of other origins, and names that only point here, are refused', async (t) => {
  const { server, port } = await serve(t);
  t.equal(await refused(view(server.url, { origin: 'http://evil.example' })), 403);
  t.equal(await refused(view(server.url, { origin: `http://127.0.0.1:${Number(port) + 1}` })), 403);
  t.equal(await refused(view(server.url, { origin: 'null' })), 403);
  const rebound = { origin: `http://evil.example:${port}`, headers: { host: `evil.example:${port}` } };
  t.equal(await refused(view(server.url, rebound)), 403, 'a name of theirs that leads to the loopback');
  const own = view(server.url, { origin: `http://127.0.0.1:${port}` });
  t.equal((await nextFrame(own)).kind, 'hello', 'our own is let in');
  own.close();
});

t.test('another subprotocol or path is refused, and what is no WebSocket too', async (t) => {
  const { server, port } = await serve(t);
  t.equal(await refused(new WebSocket(server.url)), 400);
  t.equal(await refused(new WebSocket(server.url, 'postcopy-feed-2')), 400);
  t.equal(await refused(view(server.url.replace('/feed', '/other'))), 404);
  const status = (method: string, path: string): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const sent = request({ port, host: '127.0.0.1', method, path }, (response) =>
        resolve(response.resume().statusCode),
      );
      sent.on('error', reject).end();
    });
  t.equal(await status('GET', '/feed'), 426);
  t.equal(await status('GET', '/'), 404);
  t.equal(await status('POST', '/feed'), 405);
});

t.test('control is refused without --control, and else answered', async (t) => {
  const looking = await serve(t);
  const viewer = view(looking.server.url);
  await nextFrame(viewer);
  viewer.send(START);
  t.match(await answer(viewer), { action: 'start', ok: false, reason: /--control/ });
  const asked: string[] = [];
  const { server } = await serve(t, ({ action }) => {
    asked.push(action);
    return action === 'start' ? undefined : 'not now';
  });
  const steering = view(server.url);
  await nextFrame(steering);
  steering.send(START);
  t.match(await answer(steering), { action: 'start', ok: true });
  steering.send(encodeControl({ kind: 'control', action: 'cancel' }));
  t.match(await answer(steering), { action: 'cancel', ok: false, reason: 'not now' });
  t.strictSame(asked, ['start', 'cancel']);
  viewer.close();
  steering.close();
});

t.test('what no viewer of ours sends ends the connection, and only that', async (t) => {
  const { server } = await serve(t, () => undefined);
  const other = view(server.url);
  await nextFrame(other);
  const closed = async (send: (socket: WebSocket) => void): Promise<number> => {
    const socket = view(server.url);
    await nextFrame(socket);
    socket.on('error', () => undefined);
    send(socket);
    const [code] = (await once(socket, 'close')) as [number];
    return code;
  };
  t.equal(await closed((socket) => socket.send(Buffer.alloc(1025))), 1009, 'too long');
  t.equal(await closed((socket) => socket.send('start')), 1003, 'text');
  for (const bytes of ['c1', 'dfffffffff', '93c0c0c0', '9191919191919191', '']) {
    t.equal(await closed((socket) => socket.send(Buffer.from(bytes, 'hex'))), 1008, bytes);
  }
  const raw = connect(Number(new URL(server.url).port), '127.0.0.1');
  raw.on('error', () => undefined);
  raw.end(Buffer.from(Array.from({ length: 4000 }, (_, index) => (index * 7919) % 256)));
  raw.resume();
  await once(raw, 'close');
  other.send(START);
  t.match(await answer(other), { ok: true }, 'the others go on');
  other.close();
});

t.test('at most 16 viewers', async (t) => {
  const { server } = await serve(t);
  const sockets = Array.from({ length: 16 }, () => view(server.url));
  await Promise.all(sockets.map(nextFrame));
  t.equal(await refused(view(server.url)), 503);
  const left = once(sockets[0]!, 'close');
  sockets[0]!.close();
  await left;
  const socket = view(server.url);
  t.equal((await nextFrame(socket)).kind, 'hello', 'and another when one has left');
  for (const each of [...sockets, socket]) each.close();
});

t.test('a viewer that answers no ping is dropped', { timeout: 20_000 }, async (t) => {
  const { server, hub } = await serve(t, undefined, 300);
  const dead = view(server.url, { autoPong: false });
  const alive = view(server.url);
  dead.on('error', () => undefined);
  await Promise.all([nextFrame(dead), nextFrame(alive)]);
  await once(dead, 'close');
  // The server hears of it a little later than its other end.
  while (hub.viewerCount > 1) await nextTurn();
  t.equal(hub.viewerCount, 1, 'and the other one stays');
  const frame = nextFrame(alive);
  hub.tell({ kind: 'state', state: 'active' });
  t.equal((await frame).kind, 'state');
  alive.close();
});

t.test('a port that is taken is told', async (t) => {
  const { server, hub } = await serve(t);
  const port = Number(new URL(server.url).port);
  const again = FeedServer.listen({ host: '127.0.0.1', port, hub, control: undefined });
  await t.rejects(again, { code: 'cannot-listen' });
});
