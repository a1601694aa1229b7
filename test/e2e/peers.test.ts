// Our processes against peers that misbehave on a real socket: silent, cut short, staying too long, flipping bytes.
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import t from 'tap';
import { deviceStateBytes } from '../../src/destination/known-devices.ts';
import { joinBytes } from '../../src/protocol/message.ts';
import { encodeReturnPath } from '../../src/protocol/return-path-messages.ts';
import { StreamDecoder } from '../../src/protocol/stream-decoder.ts';
import { BROKEN_SOURCES } from '../adversary/broken-sources.ts';
import { honestSource } from '../adversary/scripted-source.ts';
import { IncomingRig } from '../destination/incoming-rig.ts';
import { Command, migrate } from './command.ts';

type Test = { teardown(action: () => void): unknown };

function portOf(uri: string): number {
  return Number(/:(\d+)$/.exec(uri)![1]);
}

/** Listens on a free port; gives each connection to `serve`. */
async function serve(t: Test, onConnection: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined); // the peer may drop us
    onConnection(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return `tcp:127.0.0.1:${(server.address() as { port: number }).port}`;
}

const HOST_PAGES = ['--host-page', '16K', '--block-page', 'vga.vram=4K'];

/** Sends bytes to a destination of ours; what happens to the connection then is up to `after`. */
async function attack(
  t: Test,
  bytes: Uint8Array,
  options: readonly string[],
  after: 'stays silent' | 'closes',
): Promise<Awaited<Command['ended']>> {
  const destination = new Command([
    'destination',
    '--incoming',
    'tcp:127.0.0.1:0',
    ...HOST_PAGES,
    ...options,
  ]);
  const socket = connect(portOf(await destination.listening()), '127.0.0.1');
  socket.on('error', () => undefined);
  t.teardown(() => socket.destroy());
  socket.resume();
  socket.write(bytes);
  if (after === 'closes') socket.end();
  return await destination.ended;
}

t.test('a source that stops in the middle of a record', async (t) => {
  const whole = joinBytes(honestSource().map(({ bytes }) => bytes));
  const listen = honestSource().findIndex(({ label }) => label === 'package');
  const beforeListen = joinBytes(
    honestSource()
      .slice(0, listen)
      .map(({ bytes }) => bytes),
  ).length;
  const cases: [cut: number, exitCode: number, status: string][] = [
    [5, 1, 'failed'],
    [beforeListen - 3000, 1, 'failed'],
    [whole.length - 2000, 4, 'postcopy-paused'],
  ];
  for (const [cut, exitCode, status] of cases) {
    // Long enough for the guest to have begun to run on a loaded machine.
    const timeoutMs = exitCode === 4 ? '3000' : '400';
    const silent = await attack(
      t,
      whole.subarray(0, cut),
      ['--timeout', timeoutMs, '--smp', '1'],
      'stays silent',
    );
    t.equal(silent.exitCode, exitCode, `cut at ${cut}: ${silent.stderr}`);
    t.match(silent.result, { status, guestVerified: false, error: { code: 'peer-silent', stream: 'main' } });
    t.ok(cut - silent.result.error!.offset! < 5000, `says where: ${silent.result.error!.offset} of ${cut}`);
  }
  const closed = await attack(t, whole.subarray(0, beforeListen - 3000), [], 'closes');
  t.equal(closed.exitCode, 1);
  t.match(closed.result.error, { code: 'truncated', offset: beforeListen - 3000 });
});

t.test('broken sources on a real socket', async (t) => {
  const wanted = [
    'a host page in two halves, another one between them',
    'a whole host page left out',
    'a discard off by one target page',
    'a package that ends with EOF, so that nothing ever runs the guest',
  ];
  for (const { what, pieces, code, rule, says, ends } of BROKEN_SOURCES.filter((broken) =>
    wanted.includes(broken.what),
  )) {
    const { exitCode, result, stderr } = await attack(
      t,
      joinBytes(pieces.map(({ bytes }) => bytes)),
      [],
      'stays silent',
    );
    t.match(
      result?.error,
      { code, ...(rule === undefined ? {} : { rule }), message: says },
      `${what}: ${stderr}`,
    );
    // All pieces come at once, so the loader may not have run the guest when the error is found.
    t.ok(
      ends === 'paused' ? exitCode === 4 || exitCode === 1 : exitCode === 1,
      `${what}: exit code ${exitCode}`,
    );
  }
});

const SOURCE = ['--block', 'pc.ram=1M@4K', '--warm-up', '10', '--zero-percent', '0'];

/** Runs a source of ours against a scripted destination. */
async function lure(t: Test, options: readonly string[], onConnection: (socket: Socket) => void) {
  const uri = await serve(t, onConnection);
  return await new Command(['source', '--migrate', uri, ...SOURCE, ...options]).ended;
}

t.test('a destination that says nothing, or closes', async (t) => {
  const silent = await lure(t, ['--timeout', '300'], (socket) => socket.resume());
  t.equal(silent.exitCode, 1);
  t.match(silent.result, {
    status: 'failed',
    error: { code: 'peer-silent', message: /expected PONG within 300 ms/ },
  });
  t.equal(silent.result.guestAtSource?.isProved, true);

  const unread = await lure(t, ['--timeout', '300', '--no-postcopy-ram', '--block', 'x=32M@4K'], (socket) =>
    socket.pause(),
  );
  t.equal(unread.exitCode, 1);
  t.match(unread.result.error, { code: 'peer-silent', message: /the destination to read/ });
  t.equal(unread.result.guestAtSource?.isProved, true);

  const closed = await lure(t, [], (socket) => socket.once('data', () => socket.end()));
  t.equal(closed.exitCode, 1);
  t.equal(closed.result.guestAtSource?.isProved, true);
});

/** A destination with our own core behind a real socket; `meddle` may answer in its place. */
function scripted(
  socket: Socket,
  meddle: (rig: IncomingRig, send: (bytes: Uint8Array) => void) => boolean,
  loadsWhenTold = false,
): void {
  const rig = new IncomingRig({ hostPageBytes: 4096, loadsWhenTold });
  let answered = 0;
  let isMeddled = false;
  socket.on('data', (bytes: Buffer) => {
    if (isMeddled) return;
    rig.push(bytes);
    if (meddle(rig, (reply) => socket.write(reply))) {
      isMeddled = true;
      return;
    }
    const replies = rig.replyBytes;
    if (replies.length > answered) socket.write(replies.slice(answered));
    answered = replies.length;
  });
}

const NOW = ['--postcopy-after', 'now'];

t.test('a destination that stays connected after SHUT does not hold the source', async (t) => {
  const { exitCode, result, stderr } = await lure(t, NOW, (socket) => scripted(socket, () => false));
  t.equal(exitCode, 0, stderr);
  t.equal(result.status, 'completed');
});

t.test('after the package a broken destination pauses the source, which never resumes (S30)', async (t) => {
  const cases: [what: string, reply: Uint8Array, code: string, rule: string | undefined][] = [
    [
      'a request for an unknown block',
      encodeReturnPath('REQ_PAGES_ID', { start: 0, length: 4096, block: 'nvram' }),
      'unknown-block',
      'S24',
    ],
    ['SHUT 1', encodeReturnPath('SHUT', { value: 1 }), 'destination-failed', 'S29'],
    ['SHUT 0 too early', encodeReturnPath('SHUT', { value: 0 }), 'early-shut', 'D95'],
  ];
  for (const [what, reply, code, rule] of cases) {
    const { exitCode, result } = await lure(t, [...NOW, '--max-postcopy-bandwidth', '100K'], (socket) =>
      scripted(socket, (rig, send) => {
        if (rig.cell.state !== 'running') return false;
        send(reply);
        return true;
      }),
    );
    t.equal(exitCode, 4, what);
    t.match(
      result,
      {
        status: 'postcopy-paused',
        guestAtSource: null,
        error: { code, ...(rule === undefined ? {} : { rule }) },
      },
      what,
    );
  }
});

t.test(
  'a reason before the PONG of the package gives the guest back; without one it is paused',
  async (t) => {
    for (const isTold of [true, false]) {
      const { exitCode, result } = await lure(t, NOW, (socket) =>
        scripted(
          socket,
          (rig, send) => {
            if (rig.cell.state !== 'listening') return false;
            if (isTold) send(encodeReturnPath('REASON', { text: 'a vCPU is not known here' }));
            else socket.destroy();
            return true;
          },
          true,
        ),
      );
      if (isTold) {
        t.equal(exitCode, 1);
        t.match(result, { status: 'failed', error: { code: 'destination-left', message: /not known here/ } });
        t.equal(result.guestAtSource?.isProved, true, 'the guest goes on at the source');
      } else {
        t.equal(exitCode, 4);
        t.match(result, { status: 'postcopy-paused', guestAtSource: null });
      }
    }
  },
);

/** Stands between both ends and changes one byte of the n-th page. */
async function flipping(t: Test, uri: string, pageNumber: number): Promise<string> {
  return await serve(t, (from) => {
    const to = connect({ port: portOf(uri), host: '127.0.0.1', allowHalfOpen: true });
    to.on('error', () => undefined);
    t.teardown(() => to.destroy());
    let pages = 0;
    const none = () => undefined;
    const decoder = new StreamDecoder(
      {
        record: none,
        selectBlock: none,
        page: none,
        pageBytes(input, start, end, at) {
          if (at + end - start !== 4096) return;
          pages += 1;
          if (pages === pageNumber) input[end - 1]! ^= 1;
        },
        zeroPage: none,
        ramList: none,
        endOfPayload: none,
        pageSizeField: () => ({ field: 'guess', summary: 0x11000 }),
        deviceStateBytes,
      },
      { profile: 'strict', begins: 'header', stream: 'main' },
    );
    decoder.extension = true;
    from.on('data', (bytes) => {
      decoder.push(bytes as Buffer);
      to.write(bytes);
    });
    from.on('end', () => to.end());
    to.on('data', (bytes) => from.write(bytes));
    to.on('end', () => from.end());
  });
}

t.test('one flipped bit on the way, which the wire cannot know, is found by the guest’s proof', async (t) => {
  for (const when of ['now', '1']) {
    const { source, destination } = await migrate(
      {
        source: [...SOURCE, '--guest', 'idle', '--postcopy-after', when],
        destination: ['--host-page', '64K'],
      },
      (uri) => flipping(t, uri, 100),
    );
    t.equal(source.exitCode, 0, source.stderr);
    t.equal(destination.exitCode, 1);
    t.match(destination.result, {
      status: 'completed',
      guestVerified: false,
      guestVerification: /^the RAM differs .* in: pc\.ram$/,
    });
  }
  const honest = await migrate({ source: [...SOURCE, ...NOW], destination: ['--host-page', '64K'] }, (uri) =>
    flipping(t, uri, 100_000),
  );
  t.equal(honest.destination.result.guestVerified, true, 'the same way with nothing flipped');
});
