// The proxy passes bytes, ends and breaks on, holds a fast peer back, and lets no tap disturb it.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import t from 'tap';
import { TransportError } from '../../src/errors.ts';
import type { Direction } from '../../src/protocol/dissection-entry.ts';
import { MigrationProxy, type ProxyTap } from '../../src/recording/proxy.ts';
import { listenForChannels } from '../../src/transport/open.ts';
import { parseUri } from '../../src/transport/uri.ts';

const IGNORE: ProxyTap = { open: () => undefined, append: () => undefined, end: () => undefined };

/** All that comes until the end. It leaves the other direction open, which `stream/consumers` does not. */
async function buffer(socket: Socket): Promise<Buffer> {
  const pieces: Buffer[] = [];
  socket.on('data', (piece: Buffer) => pieces.push(piece)).resume();
  await once(socket, 'end');
  return Buffer.concat(pieces);
}

/** A proxy in front of a bare server; `accepted` gives the server's sockets in their order. */
async function open(t: { teardown(action: () => void): void }, tap: ProxyTap, keepsListening = false) {
  const sockets: Socket[] = [];
  const dialled: Socket[] = [];
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) =>
    sockets.push(socket),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const to = { scheme: 'tcp', host: '127.0.0.1', port: (server.address() as AddressInfo).port } as const;
  const listener = await listenForChannels(parseUri('tcp:127.0.0.1:0'));
  const proxy = new MigrationProxy({ listener, to, timeoutMs: 10_000, tap, keepsListening });
  const result = proxy.run();
  t.teardown(() => {
    proxy.stop();
    server.close();
    for (const socket of [...sockets, ...dialled]) socket.destroy();
  });
  const dial = async (): Promise<{ near: Socket; far: Socket }> => {
    const count = sockets.length;
    const near = connect({
      port: Number(listener.uri.split(':')[2]),
      host: '127.0.0.1',
      allowHalfOpen: true,
    });
    dialled.push(near);
    await once(near, 'connect');
    if (sockets.length === count) await once(server, 'connection');
    return { near, far: sockets[count]! };
  };
  return { proxy, result, dial, server };
}

t.test('bytes pass both ways and are tapped, each direction ends by itself', async (t) => {
  const tapped = { fwd: [] as Buffer[], ret: [] as Buffer[] };
  const ends: string[] = [];
  const { result, dial } = await open(t, {
    open: (conn) => ends.push(`open ${conn}`),
    append: (_conn, dir, bytes) => void tapped[dir].push(Buffer.from(bytes)),
    end: (conn, dir) => void ends.push(`${conn} ${dir}`),
  });
  const { near, far } = await dial();
  const sent = Buffer.alloc(3_000_000, 'migration');
  near.end(sent);
  t.ok((await buffer(far)).equals(sent), 'all of it, and then the end');
  far.end('pong'); // the other direction is still open
  t.equal((await buffer(near)).toString(), 'pong');
  const { connections } = await result;
  t.match(connections, [{ conn: 0, fwdBytes: sent.length, retBytes: 4 }]);
  t.equal(connections[0]!.error, undefined);
  t.ok(Buffer.concat(tapped.fwd).equals(sent));
  t.equal(Buffer.concat(tapped.ret).toString(), 'pong');
  t.strictSame(ends, ['open 0', '0 fwd', '0 ret']);
});

t.test('several connections keep their order, and the proxy ends with the last', async (t) => {
  const { result, dial } = await open(t, IGNORE);
  const main = await dial();
  const preempt = await dial();
  preempt.near.end('second');
  main.near.end('first');
  t.equal((await buffer(preempt.far)).toString(), 'second');
  t.equal((await buffer(main.far)).toString(), 'first');
  main.far.end();
  preempt.far.end();
  t.match((await result).connections, [
    { conn: 0, fwdBytes: 5 },
    { conn: 1, fwdBytes: 6 },
  ]);
});

t.test('a peer that does not read holds the other back', async (t) => {
  let passedBytes = 0;
  const append = (_conn: number, _dir: Direction, bytes: Uint8Array): void => {
    passedBytes += bytes.length;
  };
  const { dial } = await open(t, { ...IGNORE, append });
  const { near, far } = await dial();
  const piece = Buffer.alloc(2 ** 20);
  let isHeldBack = false;
  // The kernel's buffers on both hops take some MiB; then nothing more goes in, ever.
  for (let count = 0; count < 256 && !isHeldBack; count += 1) {
    const written = new Promise<boolean>((resolve) => near.write(piece, () => resolve(false)));
    const quiet = async (): Promise<boolean> => {
      for (let before = -1; before !== passedBytes; ) {
        before = passedBytes;
        for (let turn = 0; turn < 2000; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      }
      return true;
    };
    isHeldBack = await Promise.race([written, quiet()]);
  }
  t.equal(isHeldBack, true, 'not all of 256 MiB went into the proxy');
  const heldBytes = passedBytes;
  far.resume();
  near.end();
  await once(far, 'end');
  t.ok(passedBytes > heldBytes, 'and goes on when the peer reads');
});

t.test('a break on one side is passed on and told', async (t) => {
  const { result, dial } = await open(t, IGNORE);
  const { near, far } = await dial();
  near.on('error', () => undefined).resume();
  far.resetAndDestroy();
  await once(near, 'end'); // a reset arrives as an end, and whoever writes then is reset
  t.match((await result).connections, [{ conn: 0, error: { code: 'connection-reset' } }]);
});

t.test('nobody listens at the other side', async (t) => {
  const { result, dial, server } = await open(t, IGNORE);
  server.close();
  await once(server, 'close');
  dial().catch(() => undefined);
  t.match((await result).connections, [{ conn: 0, fwdBytes: 0, error: { code: 'connection-refused' } }]);
});

for (const [name, fail] of [
  [
    'throws',
    () => {
      throw new TransportError('cannot-write-recording', 'disk full');
    },
  ],
  ['rejects', () => Promise.reject(new TransportError('cannot-write-recording', 'disk full'))],
] as const) {
  t.test(`a tap that ${name} does not disturb what passes`, async (t) => {
    let appendCount = 0;
    const append = (): Promise<void> => {
      appendCount += 1;
      return fail();
    };
    const { result, dial } = await open(t, { ...IGNORE, append });
    const { near, far } = await dial();
    near.end(Buffer.alloc(1_000_000));
    t.equal((await buffer(far)).length, 1_000_000);
    far.end('pong');
    t.equal((await buffer(near)).toString(), 'pong');
    const { connections, tapError } = await result;
    t.equal(connections[0]!.error, undefined);
    t.match(tapError, { code: 'cannot-write-recording' });
    t.equal(appendCount, 1, 'it is not asked again');
  });
}

t.test('with keepsListening it goes on until it is stopped', async (t) => {
  const { proxy, result, dial } = await open(t, IGNORE, true);
  for (let conn = 0; conn < 2; conn += 1) {
    const { near, far } = await dial();
    near.end();
    far.end();
    await Promise.all([buffer(near), buffer(far)]);
  }
  const { near } = await dial();
  near.on('error', () => undefined).resume();
  proxy.stop();
  await once(near, 'end');
  t.equal((await result).connections.length, 3);
});
