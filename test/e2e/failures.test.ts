// A migration that is cut in each phase, by signals to real processes: who has the guest then, and which exit code.
import t from 'tap';
import { startPair } from './command.ts';

const RAM = ['--block', 'pc.ram=16M@4K', '--zero-percent', '0'];
/** Holds precopy open: the pass takes seconds. */
const SLOW_PRECOPY = [...RAM, '--max-bandwidth', '2M'];
/** Holds postcopy open: a guest that touches pages faster would fetch them all itself. */
const SLOW_POSTCOPY = [...RAM, '--postcopy-after', 'now', '--max-postcopy-bandwidth', '2M', '--rate', '5'];
const TO_64K = ['--host-page', '64K'];

t.test('SIGINT at the source before the switch: cancelled, and the guest goes on there', async (t) => {
  const { source, destination } = await startPair({ source: SLOW_PRECOPY, destination: TO_64K });
  await source.inPhase('precopy');
  source.process.kill('SIGINT');
  const [left, received] = await Promise.all([source.ended, destination.ended]);
  t.equal(left.exitCode, 3);
  t.equal(left.result.status, 'cancelled');
  t.equal(left.result.guestAtSource?.isProved, true, String(left.result.guestAtSource?.verdict));
  t.ok(left.result.guestAtSource!.accessesSince > 0, 'it runs');
  t.equal(received.exitCode, 1);
  t.match(received.result, { status: 'failed', guestVerified: false, error: { code: 'source-left' } });
});

t.test('SIGINT at the source after the switch is refused, for it would lose the guest', async (t) => {
  const { source, destination } = await startPair({
    source: [...RAM, '--postcopy-after', 'now', '--max-postcopy-bandwidth', '8M'],
    destination: TO_64K,
  });
  await source.inPhase('postcopy-active');
  source.process.kill('SIGINT');
  const [left, received] = await Promise.all([source.ended, destination.ended]);
  t.equal(left.exitCode, 0);
  t.match(left.stderr, /postcopy has begun: cancelling now would lose the guest/);
  t.equal(left.result.guestAtSource, null);
  t.equal(received.result.guestVerified, true, received.result.guestVerification);
});

t.test('the destination killed in precopy: the guest goes on at the source', async (t) => {
  const { source, destination } = await startPair({ source: SLOW_PRECOPY, destination: TO_64K });
  await source.inPhase('precopy');
  destination.process.kill('SIGKILL');
  const { exitCode, result } = await source.ended;
  t.equal(exitCode, 1);
  t.equal(result.status, 'failed');
  t.match(result.error?.code, /^(peer-closed|connection-(reset|broken))$/);
  t.equal(result.guestAtSource?.isProved, true, String(result.guestAtSource?.verdict));
  await destination.ended;
});

t.test(
  'the destination killed in postcopy: paused, and never resumed at the source (S30, S35)',
  async (t) => {
    const { source, destination } = await startPair({ source: SLOW_POSTCOPY, destination: TO_64K });
    await source.inPhase('postcopy-active');
    destination.process.kill('SIGKILL');
    const { exitCode, result } = await source.ended;
    t.equal(exitCode, 4);
    t.equal(result.status, 'postcopy-paused');
    t.equal(result.guestAtSource, null);
    await destination.ended;
  },
);

t.test('the source killed in precopy: the destination fails', async (t) => {
  const { source, destination } = await startPair({ source: SLOW_PRECOPY, destination: TO_64K });
  await source.inPhase('precopy');
  source.process.kill('SIGKILL');
  const { exitCode, result } = await destination.ended;
  t.equal(exitCode, 1);
  t.equal(result.status, 'failed');
  t.match(result.error?.code, /^(truncated|connection-(reset|broken))$/);
  await source.ended;
});

t.test('the source killed in postcopy: paused with the guest here, and no vCPU waits for ever', async (t) => {
  for (const address of ['tcp:127.0.0.1:0', 'ws://127.0.0.1:0/']) {
    const { source, destination } = await startPair({ source: SLOW_POSTCOPY, destination: TO_64K, address });
    await destination.inPhase('postcopy-active');
    source.process.kill('SIGKILL');
    const { exitCode, result } = await destination.ended;
    t.equal(exitCode, 4, address);
    t.equal(result.status, 'postcopy-paused');
    t.equal(result.guestVerified, false);
    t.match(result.error?.code, /^(truncated|connection-(reset|broken))$/);
    await source.ended;
  }
});

t.test('SIGINT at the destination in precopy: the source is told why, and keeps the guest', async (t) => {
  const { source, destination } = await startPair({ source: SLOW_PRECOPY, destination: TO_64K });
  await source.inPhase('precopy');
  destination.process.kill('SIGINT');
  const [left, received] = await Promise.all([source.ended, destination.ended]);
  t.equal(received.exitCode, 3);
  t.equal(left.exitCode, 1);
  t.match(left.result.error, { code: 'destination-left', message: /was cancelled/ });
  t.equal(left.result.guestAtSource?.isProved, true);
});

t.test('refusals: the reason stands at both ends, and the guest at the source is unharmed', async (t) => {
  const cases = [
    {
      what: 'a hash guest on too small pages',
      source: ['--block', 'pc.ram=32M@16M', '--mmu', 'hash', '--guest-page', '16M'],
      destination: ['--host-page', '2M'],
      atSource: 'mmu-refused',
      atDestination: 'source-left',
      says: /16M guest page cannot be backed by 2M host pages/,
    },
    {
      what: 'legacy peers with other pages',
      source: ['--block', 'pc.ram=8M@4K', '--no-negotiate'],
      destination: ['--host-page', '64K', '--no-negotiate'],
      atSource: undefined,
      atDestination: 'page-sizes-differ',
      says: /Postcopy needs matching RAM page sizes \(s=1000 d=10000\)/,
    },
    {
      what: 'another machine type',
      source: ['--block', 'pc.ram=8M@4K', '--machine', 'pc-q35-7.2'],
      destination: ['--machine', 'pc-i440fx-7.2'],
      atSource: undefined,
      atDestination: 'machine-differs',
      says: /received is 'pc-q35-7\.2' and local is 'pc-i440fx-7\.2'/,
    },
    {
      what: 'a layout that lacks a block',
      source: ['--block', 'pc.ram=8M@4K', '--block', 'nvram=64K@4K'],
      destination: ['--block', 'pc.ram=8M@4K'],
      atSource: 'destination-left',
      atDestination: 'unknown-block',
      says: /found 'nvram'/,
    },
  ];
  for (const { what, source, destination, atSource, atDestination, says } of cases) {
    const pair = await startPair({ source, destination });
    const [left, received] = await Promise.all([pair.source.ended, pair.destination.ended]);
    t.equal(left.exitCode, 1, `${what}: ${left.stderr}`);
    t.equal(received.exitCode, 1, what);
    t.equal(received.result.error?.code, atDestination, what);
    t.match(received.result.error?.message, says);
    if (atSource !== undefined) {
      t.equal(left.result.error?.code, atSource, what);
      t.match(left.result.error?.message, says, `${what}: the source knows why`);
    }
    t.equal(left.result.guestAtSource?.isProved, true, what);
  }
});
