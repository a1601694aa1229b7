// Every channel carries the same bytes both ways, ends in order, and names what broke.
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import t from 'tap';
import { WebSocket } from 'ws';
import type { Channel } from '../../src/transport/channel.ts';
import { connectChannel, listenForChannels } from '../../src/transport/open.ts';
import { parseUri } from '../../src/transport/uri.ts';

const directory = mkdtempSync(join(tmpdir(), 'postcopy-'));
t.teardown(() => rmSync(directory, { recursive: true, force: true }));

const ADDRESSES = ['tcp:127.0.0.1:0', `unix:${join(directory, 's')}`, 'ws://127.0.0.1:0/migrate'];

/** Both ends of a connection. */
async function joinEnds(address: string): Promise<{ near: Channel; far: Channel; uri: string }> {
  const listener = await listenForChannels(parseUri(address));
  const [near, far] = await Promise.all([connectChannel(parseUri(listener.uri), 5000), listener.accept()]);
  listener.close();
  return { near, far, uri: listener.uri };
}

/** All that comes until the end. */
function readAll(channel: Channel): Promise<Buffer> {
  const pieces: Buffer[] = [];
  return new Promise((resolve, reject) => {
    channel.read({
      data: (input, start, end) => void pieces.push(Buffer.from(input.subarray(start, end))),
      end: () => resolve(Buffer.concat(pieces)),
      error: reject,
    });
  });
}

for (const address of ADDRESSES) {
  t.test(address.split(':')[0]!, async (t) => {
    const { near, far } = await joinEnds(address);
    // More than a WebSocket frame may hold, and than any socket buffer.
    const sent = Buffer.alloc(20 * 2 ** 20 + 7, 'postcopy');
    const received = readAll(far);
    const answered = readAll(near);
    await near.write(sent);
    await near.write(Uint8Array.of(1, 2, 3));
    await far.write(Uint8Array.of(9));
    await near.end();
    const bytes = await received;
    t.equal(bytes.length, sent.length + 3);
    t.equal(Buffer.compare(bytes.subarray(0, sent.length), sent), 0);
    t.same([...bytes.subarray(-3)], [1, 2, 3]);
    await far.end();
    t.same([...(await answered)], [9]);
    near.destroy();
    far.destroy();
  });

  t.test(
    `${address.split(':')[0]}: pieces go one behind the other, whatever the kernel takes at once`,
    async (t) => {
      const { near, far } = await joinEnds(address);
      const all = Buffer.from(new SharedArrayBuffer(12 * 2 ** 20));
      for (let at = 0; at < all.length; at += 4) all.writeUInt32BE(at, at);
      // Short and long ones, more of them than one system call takes.
      const pieces: Buffer[] = [];
      for (let at = 0; at < all.length; at += pieces.at(-1)!.length) {
        pieces.push(all.subarray(at, at + (pieces.length % 2 === 0 ? 9 : 8191)));
      }
      const third = Math.floor(pieces.length / 3);
      const first = near.writeAll(pieces.slice(0, third)); // nobody reads yet, so some of it waits
      const second = near.writeAll(pieces.slice(third));
      const received = readAll(far);
      await Promise.all([first, second]);
      await near.writeAll([Uint8Array.of(7)]);
      await near.end();
      t.equal(Buffer.compare(await received, Buffer.concat([...pieces, Uint8Array.of(7)])), 0);
      await far.end();
      near.destroy();
    },
  );

  t.test(`${address.split(':')[0]}: nobody listens`, async (t) => {
    const listener = await listenForChannels(parseUri(address));
    listener.close();
    await t.rejects(listener.accept(), { name: 'TransportError', code: 'listener-closed' });
    await t.rejects(connectChannel(parseUri(listener.uri), 5000), {
      name: 'TransportError',
      code: /^connection-(refused|broken)$/,
    });
  });
}

for (const address of ADDRESSES.slice(0, 2)) {
  t.test(
    `${address.split(':')[0]}: the last words of a peer that left are read after a write failed`,
    async (t) => {
      const { near, far } = await joinEnds(address);
      await near.writeAll([Buffer.alloc(1000)]); // which the peer never reads
      await far.write(Buffer.from('farewell'));
      far.destroy();
      const failure = await (async () => {
        for (;;) {
          await near.writeAll([Buffer.alloc(1000)]);
          await nextTurn();
        }
      })().catch((error: unknown) => error);
      t.match(failure, { name: 'TransportError', code: /^connection-(broken|reset)$/ });
      const words = await new Promise<string>((resolve, reject) => {
        let text = '';
        near.read({
          data: (input, start, end) => {
            text += Buffer.from(input.subarray(start, end)).toString();
          },
          end: () => resolve(text),
          error: (error) => (text === '' ? reject(error) : resolve(text)),
        });
      });
      t.equal(words, 'farewell');
      near.destroy();
    },
  );
}

t.test('an address that is taken', async (t) => {
  const listener = await listenForChannels(parseUri('tcp:127.0.0.1:0'));
  await t.rejects(listenForChannels(parseUri(listener.uri)), { code: 'cannot-listen' });
  await t.rejects(listenForChannels(parseUri(listener.uri.replace('tcp:', 'ws://'))), {
    code: 'cannot-listen',
  });
  listener.close();
});

t.test('a peer that takes the connection and never answers the handshake', async (t) => {
  const server = createServer((socket) => socket.resume());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  await t.rejects(connectChannel(parseUri(`ws://127.0.0.1:${port}/`), 50), { code: 'connect-timeout' });
  server.close();
});

t.test('a text frame is refused', async (t) => {
  const listener = await listenForChannels(parseUri('ws://127.0.0.1:0/'));
  const socket = new WebSocket(listener.uri);
  const channel = await listener.accept();
  const received = readAll(channel);
  if (socket.readyState !== WebSocket.OPEN) await once(socket, 'open');
  socket.send('postcopy');
  await t.rejects(received, { code: 'text-frame' });
  listener.close();
});

t.test('what connects to ws: and is no WebSocket is not a channel', async () => {
  const listener = await listenForChannels(parseUri('ws://127.0.0.1:0/'));
  const stranger = connect(Number(new URL(listener.uri).port), '127.0.0.1');
  stranger.on('error', () => undefined);
  stranger.end('QEVM\0\0\0\x03');
  stranger.resume();
  await once(stranger, 'close');
  const [near, far] = await Promise.all([connectChannel(parseUri(listener.uri), 5000), listener.accept()]);
  near.destroy();
  far.destroy();
  listener.close();
});

t.test('a reset is an error of the reader, or an end', async (t) => {
  const { near, far } = await joinEnds('tcp:127.0.0.1:0');
  const received = readAll(far);
  near.destroy();
  const outcome = await received.then(
    () => 'end',
    (error: { code: string }) => error.code,
  );
  t.match(outcome, /^(end|connection-reset)$/);
  far.destroy();
});

t.test('URIs', async (t) => {
  t.same(parseUri('tcp:[::1]:4444'), { scheme: 'tcp', host: '::1', port: 4444 });
  for (const bad of ['tcp:h:70000', 'tcp:h', 'unix:', 'http://h:1/', 'tcp:h:1/x', '']) {
    t.throws(() => parseUri(bad), { name: 'OptionError', code: 'bad-uri' }, bad);
  }
});
