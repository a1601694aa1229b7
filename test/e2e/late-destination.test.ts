// A source that is started before its destination: it waits as long as it was told, and its guest runs meanwhile.
import { join } from 'node:path';
import t from 'tap';
import { Command, temporaryDirectory } from './command.ts';

const GUEST = ['--block', 'pc.ram=4M@4K', '--warm-up', '0'];

// With a preempt channel another thread connects.
for (const channels of [[], ['--postcopy-preempt']]) testLate(channels);

function testLate(channels: readonly string[]): void {
  t.test(`the destination comes up later: the migration runs as ever ${channels}`, async (t) => {
    const uri = `unix:${join(temporaryDirectory(t), 's')}`;
    const source = new Command([
      'source',
      '--migrate',
      uri,
      '--connect-timeout',
      '60000',
      ...GUEST,
      ...channels,
    ]);
    await source.inPhase('connect');
    const destination = new Command(['destination', '--incoming', uri, '--host-page', '64K', ...channels]);
    const [left, received] = await Promise.all([source.ended, destination.ended]);
    t.equal(left.exitCode, 0, left.stderr);
    t.match(left.stderr, /ENOENT[^"]*; trying for 60000 ms/, 'it says what it waits for');
    t.equal(received.result.guestVerified, true, received.result.guestVerification);
  });
}

t.test('nobody comes: it fails with the reason, and the guest goes on', async (t) => {
  const uri = `unix:${join(temporaryDirectory(t), 's')}`;
  const { exitCode, result } = await new Command([
    ...['source', '--migrate', uri, '--connect-timeout', '200', ...GUEST],
  ]).ended;
  t.equal(exitCode, 1);
  t.match(result.error, { code: 'connection-broken', message: /nobody listened in 200 ms/ });
  t.equal(result.guestAtSource?.isProved, true, String(result.guestAtSource?.verdict));
});

for (const channels of [[], ['--postcopy-preempt']]) testCancel(channels);

function testCancel(channels: readonly string[]): void {
  t.test(`SIGINT while it waits ends it at once: cancelled, and the guest goes on ${channels}`, async (t) => {
    const uri = `unix:${join(temporaryDirectory(t), 's')}`;
    const source = new Command([
      'source',
      '--migrate',
      uri,
      '--connect-timeout',
      '3600000',
      ...GUEST,
      ...channels,
    ]);
    await source.inPhase('connect');
    source.process.kill('SIGINT');
    const { exitCode, result } = await source.ended;
    t.equal(exitCode, 3);
    t.match(result, { status: 'cancelled', error: { code: 'cancelled' } });
    t.equal(result.guestAtSource?.isProved, true, String(result.guestAtSource?.verdict));
  });
}
