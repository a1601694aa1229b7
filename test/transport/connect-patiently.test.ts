// Connecting to who may not listen yet: tried again so long, and only for that reason.
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { connectPatiently, type Patience } from '../../src/transport/connect-patiently.ts';
import { listenForChannels } from '../../src/transport/open.ts';
import { parseUri } from '../../src/transport/uri.ts';

const directory = mkdtempSync(join(tmpdir(), 'postcopy-'));
t.teardown(() => rmSync(directory, { recursive: true, force: true }));

/** For ever, as far as a test goes. */
const LONG_MS = 60_000;
const never = new AbortController().signal;

/** An address of a kind where nobody listens: for TCP one that was free a moment ago. */
async function deserted(kind: string): Promise<string> {
  if (kind === 'unix') return `unix:${join(directory, 'nobody')}`;
  const listener = await listenForChannels(
    parseUri(kind === 'tcp' ? 'tcp:127.0.0.1:0' : 'ws://127.0.0.1:0/m'),
  );
  listener.close();
  return listener.uri;
}

/** What a patience is told, and how often. */
function patience(options: Partial<Patience>): Patience & { readonly waits: string[] } {
  const waits: string[] = [];
  return {
    attemptMs: 5000,
    patienceMs: LONG_MS,
    signal: never,
    onWait: ({ code }) => void waits.push(code),
    waits,
    ...options,
  };
}

for (const kind of ['tcp', 'unix', 'ws']) {
  t.test(`${kind}: connects to who comes to listen only after the first attempt`, async (t) => {
    const uri = parseUri(await deserted(kind));
    let found!: () => void;
    const foundNobody = new Promise<void>((resolve) => {
      found = resolve;
    });
    const connecting = connectPatiently(uri, { ...patience({}), onWait: found });
    await foundNobody;
    const listener = await listenForChannels(uri);
    const [near, far] = await Promise.all([connecting, listener.accept()]);
    await near.write(Uint8Array.of(7));
    t.equal(
      await new Promise((resolve) =>
        far.read({
          data: (input, start) => resolve(input[start]),
          end: () => resolve('end'),
          error: resolve,
        }),
      ),
      7,
    );
    near.destroy();
    far.destroy();
    listener.close();
  });
}

t.test('gives up in time, and says how long nobody listened', async (t) => {
  const waiting = patience({ patienceMs: 250 });
  await t.rejects(connectPatiently(parseUri(await deserted('tcp')), waiting), {
    code: 'connection-refused',
    message: /ECONNREFUSED.*; nobody listened in 250 ms, [3-9] attempts$/,
  });
  t.strictSame(waiting.waits, ['connection-refused'], 'told once');
});

t.test('without patience one attempt is all', async (t) => {
  const waiting = patience({ patienceMs: 0 });
  await t.rejects(connectPatiently(parseUri(await deserted('tcp')), waiting), {
    code: 'connection-refused',
    message: /ECONNREFUSED [\d.:]+$/,
  });
  t.strictSame(waiting.waits, []);
});

t.test('an attempt that fails for another reason is the last one', async (t) => {
  const server = createServer((socket) => socket.end('HTTP/1.1 404 Not Found\r\n\r\n')).listen(
    0,
    '127.0.0.1',
  );
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  const waiting = patience({});
  await t.rejects(connectPatiently(parseUri(`ws://127.0.0.1:${port}/`), waiting), {
    code: 'connection-broken',
  });
  t.strictSame(waiting.waits, []);
  server.close();
});

t.test('who gives up is heeded between attempts, within one, and before the first', async (t) => {
  const nobody = parseUri(await deserted('tcp'));
  const between = new AbortController();
  const stop = (): void => queueMicrotask(() => between.abort(new Error('between')));
  await t.rejects(connectPatiently(nobody, { ...patience({ signal: between.signal }), onWait: stop }), {
    message: 'between',
  });
  const before = AbortSignal.abort(new Error('before'));
  await t.rejects(connectPatiently(nobody, patience({ signal: before })), { message: 'before' });

  // Accepts, but never answers the WebSocket's greeting.
  const within = new AbortController();
  const server = createServer(() => within.abort(new Error('within'))).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  const greeting = patience({ signal: within.signal, attemptMs: LONG_MS });
  await t.rejects(connectPatiently(parseUri(`ws://127.0.0.1:${port}/`), greeting), { message: 'within' });
  server.close();
});
