// The server of the page: to whom it answers, what it refuses, and that every viewer gets all of a run.
import { once } from 'node:events';
import { request } from 'node:http';
import msgpack from 'msgpack-lite';
import t from 'tap';
import { WebSocket, WebSocketServer } from 'ws';
import { FEED_SUBPROTOCOL } from '../../src/feed/feed-messages.ts';
import { WatchRun } from '../../src/watch/watch-run.ts';
import { WatchServer } from '../../src/watch/watch-server.ts';
import { hostileFrames } from './hostile-feed.ts';
import { syntheticRun } from './synthetic-run.ts';

type Teardown = { teardown(action: () => unknown): void };

async function serve(t: Teardown, run: WatchRun, host = '127.0.0.1'): Promise<WatchServer> {
  const server = await WatchServer.listen({ host, port: 0 }, run);
  t.teardown(() => server.close());
  return server;
}

/** Status and headers of an answer to a request with just these headers. */
async function get(url: string, headers: Record<string, string> = {}, method = 'GET') {
  const sent = request(url, { headers, method }).end();
  const [response] = (await once(sent, 'response')) as [import('node:http').IncomingMessage];
  response.resume();
  await once(response, 'end');
  return { status: response.statusCode, headers: response.headers };
}

/** Status that an upgrade is answered with; 101 where it is let in. */
async function upgrade(
  url: string,
  options: Record<string, unknown> = {},
  protocol = FEED_SUBPROTOCOL,
): Promise<number> {
  const socket = new WebSocket(url.replace('http', 'ws'), protocol, options);
  return new Promise((resolve) => {
    socket.on('open', () => {
      socket.terminate();
      resolve(101);
    });
    socket.on('unexpected-response', (_, response) => resolve(response.statusCode!));
    socket.on('error', () => undefined);
  });
}

function joinWatch(t: Teardown, server: WatchServer): WebSocket {
  const socket = new WebSocket(new URL('/feed', server.url.replace('http', 'ws')), FEED_SUBPROTOCOL);
  t.teardown(() => socket.terminate());
  return socket;
}

/** Waits for that many binary frames. */
async function receive(socket: WebSocket, count: number): Promise<Buffer[]> {
  const got: Buffer[] = [];
  return new Promise((resolve) => {
    socket.on('message', (bytes) => {
      got.push(bytes as Buffer);
      if (got.length === count) resolve(got);
    });
  });
}

t.test('it answers to this machine, by its own names, and to no page of another origin', async (t) => {
  const { url } = await serve(t, new WatchRun(false));
  const { host, port } = new URL(url);
  t.match(url, /^http:\/\/127\.0\.0\.1:\d+\/$/);
  const page = await get(url);
  t.equal(page.status, 200);
  t.match(page.headers['content-security-policy'], /default-src 'none'; script-src 'self'/);
  t.equal((await get(url, { host: `localhost:${port}` })).status, 200);
  t.equal((await get(url, { host: `evil.example:${port}` })).status, 403);
  t.equal((await get(url, { host, origin: 'http://evil.example' })).status, 403);
  t.equal((await get(url, { host, origin: 'null' })).status, 403);
  t.equal((await get(url, { host, origin: `http://${host}` })).status, 200);
  t.equal((await get(url, {}, 'POST')).status, 405);
  t.equal((await get(`${url}src/watch/page/main.js`)).status, 200);
  t.equal((await get(`${url}src/watch/page/../../../../../package.json`)).status, 404);
  t.equal((await get(`${url}..%2f..%2fpackage.json`)).status, 404);
  t.equal((await get(`${url}feed`)).status, 426);
});

t.test('so it does where a feed is asked for', async (t) => {
  const { url } = await serve(t, new WatchRun(false));
  t.equal(await upgrade(`${url}feed`), 101);
  t.equal(await upgrade(`${url}feed`, { origin: 'http://evil.example' }), 403);
  t.equal(await upgrade(`${url}feed`, { headers: { host: 'evil.example' } }), 403);
  t.equal(await upgrade(`${url}elsewhere`), 404);
  t.equal(await upgrade(`${url}feed`, {}, 'chat'), 400);
});

t.test('viewers get all of a run, whenever they come', async (t) => {
  const frames = syntheticRun();
  const run = new WatchRun(false);
  const server = await serve(t, run);
  const early = receive(joinWatch(t, server), frames.length + 1);
  run.open('run', frames);
  const late = receive(joinWatch(t, server), frames.length + 1);
  for (const got of await Promise.all([early, late])) {
    t.equal((msgpack.decode(got[0]!) as { kind: string }).kind, 'watch');
    t.ok(
      got.slice(1).every((bytes, index) => bytes.equals(frames[index]!)),
      'unchanged',
    );
  }
});

t.test('control is refused without --control, and what is no control closes the connection', async (t) => {
  const server = await serve(t, new WatchRun(false));
  const socket = joinWatch(t, server);
  await receive(socket, 1);
  const answer = receive(socket, 1);
  socket.send(msgpack.encode({ kind: 'control', action: 'cancel' }));
  t.match(msgpack.decode((await answer)[0]!), {
    kind: 'control-answer',
    action: 'cancel',
    ok: false,
    reason: /without --control/,
  });
  for (const bytes of [
    msgpack.encode({ kind: 'control', action: 'explode' }),
    Buffer.from([0xc1]),
    Buffer.alloc(2000),
    'text',
  ]) {
    const other = joinWatch(t, server);
    await once(other, 'open');
    other.send(bytes);
    const [code] = (await once(other, 'close')) as [number];
    t.ok([1003, 1008, 1009, 1006].includes(code), `closed with ${code}`);
  }
  t.equal(await upgrade(`${server.url}feed`), 101, 'and it serves on');
});

/** An end of a migration as a test plays it. */
async function playEnd(t: Teardown): Promise<{ url: string; server: WebSocketServer }> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: () => FEED_SUBPROTOCOL });
  await once(server, 'listening');
  t.teardown(() => {
    for (const socket of server.clients) socket.terminate();
    server.close();
  });
  return { url: `ws://127.0.0.1:${(server.address() as { port: number }).port}/feed`, server };
}

t.test('what an allowed viewer asks for reaches the source', async (t) => {
  const { url, server: end } = await playEnd(t);
  const joined = once(end, 'connection') as Promise<[WebSocket]>;
  const run = new WatchRun(true);
  const server = await serve(t, run);
  run.join('source', url);
  const [source] = await joined;
  const socket = joinWatch(t, server);
  await receive(socket, 1);
  const asked = once(source, 'message') as Promise<[Buffer]>;
  socket.send(msgpack.encode({ kind: 'control', action: 'link', rate: '1gbit', rtt: '1ms', more: 'x' }));
  t.strictSame(msgpack.decode((await asked)[0]), {
    kind: 'control',
    action: 'link',
    rate: '1gbit',
    rtt: '1ms',
  });
});

t.test('a lost end is said, and joined again; a hostile one changes nothing', async (t) => {
  const { url, server: end } = await playEnd(t);
  const run = new WatchRun(false);
  const server = await serve(t, run);
  const socket = joinWatch(t, server);
  const isConnected: (boolean | undefined)[] = [];
  const again = new Promise<void>((resolve) => {
    socket.on('message', (bytes) => {
      const frame = msgpack.decode(bytes as Buffer) as { kind: string; ends: { connected: boolean }[] };
      if (frame.kind === 'watch') isConnected.push(frame.ends[0]?.connected);
      if (isConnected.filter((one) => one === true).length === 2) resolve();
    });
  });
  await once(socket, 'open');
  let joins = 0;
  const second = new Promise<void>((resolve) => {
    end.on('connection', (one) => {
      joins += 1;
      if (joins === 1) one.terminate();
      if (joins === 2)
        for (const bytes of hostileFrames().filter(({ length }) => length < 2 ** 20)) one.send(bytes);
      if (joins === 2) for (const bytes of syntheticRun()) one.send(bytes);
      if (joins === 2) resolve();
    });
  });
  run.join('source', url);
  await Promise.all([second, again]);
  t.ok(isConnected.includes(false), 'it was said');
  await new Promise<void>((resolve) => {
    const look = (): void => {
      if (run.log.frames.length > 0) resolve();
      else setImmediate(look);
    };
    look();
  });
  t.ok(
    run.log.frames.every((frame) => frame.end === 'source'),
    'frames of the other end are not believed to come from this one',
  );
});
