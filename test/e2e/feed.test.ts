// A feed that is joined during a real migration tells the story that the results tell; control does what it says.
import t from 'tap';
import type { ChildEvent } from '../../src/cli/output.ts';
import { FEED_PAGE } from '../../src/feed/page-runs.ts';
import { ram, to } from './check-migration.ts';
import { Command, migrate, type Pair, startPair } from './command.ts';
import { FeedViewer } from './feed-viewer.ts';

const CONTROL = ['--feed', '0', '--control', '--hold'];
/** Precopy that never converges, slow enough to be met in it. */
const LONG_PRECOPY = ['--postcopy-after', 'never', '--downtime-limit', '0', '--max-bandwidth', '40M'];

interface Watched extends Pair {
  readonly atSource: FeedViewer;
  readonly atDestination: FeedViewer;
}

async function watch(source: readonly string[], destination: readonly string[] = []): Promise<Watched> {
  const pair = await startPair({
    source: [...source, ...CONTROL],
    destination: ['--feed', '0', ...destination],
  });
  const [atSource, atDestination] = await Promise.all(
    [pair.source, pair.destination].map((end) => FeedViewer.join(end)),
  );
  return { ...pair, atSource: atSource!, atDestination: atDestination! };
}

t.test('the feed tells what the results tell', async (t) => {
  const args = [...ram('64M', '4K'), '--downtime-limit', '0', '--zero-percent', '25'];
  const { source, destination, atSource, atDestination } = await watch(args, [...to('16K'), '--faults']);
  const port = new URL(atSource.socket.url).port;
  const scraped = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  t.match(scraped, /^postcopy_state\{state="waiting",end="source"\} 1$/m);
  t.strictSame(await atSource.ask('start').then(({ ok }) => ok), true);
  const [from, result] = await Promise.all([source.ended, destination.ended]);
  await Promise.all([atSource.closed, atDestination.closed]);
  t.equal(from.exitCode, 0, from.stderr);
  t.equal(result.result.guestVerified, true, result.stderr);

  for (const [viewer, ending] of [
    [atSource, from],
    [atDestination, result],
  ] as const) {
    const { last } = viewer.model;
    const { pages, bytes } = ending.result;
    t.equal(viewer.frames[0]?.kind, 'hello');
    t.equal(viewer.frames.at(-1)?.kind, 'result');
    t.same(last.result?.result, ending.result, 'the result as it was printed');
    t.equal(last.hello?.dropped, 0);
    t.equal(last.state?.state, 'completed');
    t.equal(last.totals?.wire, bytes.wire);
    t.equal(last.totals?.precopyPages, pages.precopy);
    t.equal(last.totals?.backgroundPages, pages.postcopyBackground);
    t.equal(last.totals?.requestedPages, pages.requested);
    t.equal(last.totals?.zeroPages, pages.zero);
    t.equal(last.negotiation?.outcome, 'negotiated');
    t.equal(last.negotiation?.blocks[0]?.placementPage, 16_384);
  }
  t.strictSame(
    atSource.states,
    ['waiting', 'setup', 'active', 'device', 'postcopy-active', 'completed'].filter((state) =>
      atSource.states.includes(state as never),
    ),
  );
  t.ok(
    ['active', 'postcopy-active', 'completed'].every((state) => atSource.states.includes(state as never)),
    atSource.states.join(' '),
  );
  t.ok(atDestination.states.includes('postcopy-active'), atDestination.states.join(' '));
  t.equal(atSource.model.passes.length, from.result.passes.length);

  const { stalls } = result.result;
  t.equal(atDestination.model.last.stalls?.count, stalls?.count, 'every stall');
  t.equal(atDestination.model.last.totals?.faults, stalls?.count);
  t.strictSame(atDestination.model.last.stalls?.buckets, stalls?.latencyBuckets);
  t.equal(atDestination.model.last.stalls?.max ?? null, stalls?.maxNs ?? null);
  const faults = atDestination.frames.flatMap((frame) => (frame.kind === 'faults' ? [frame] : []));
  const told = faults.reduce((sum, { list, dropped }) => sum + list.length + dropped, 0);
  t.equal(told, stalls?.count, 'every fault is listed or counted');
  const known = new Set(result.result.faults?.map(({ vcpu, faultNs }) => `${vcpu} ${faultNs}`));
  t.ok(
    faults.every(({ list }) => list.every(({ vcpu, fault }) => known.has(`${vcpu} ${fault}`))),
    'and is one of the result',
  );

  const map = atDestination.model.blocks.get('pc.ram')!;
  const count = (...codes: number[]): number => map.states.filter((code) => codes.includes(code)).length;
  t.equal(map.states.length * map.unit, 64 * 2 ** 20);
  const { PUSHED, BY_REQUEST, ZERO, PRECOPY, SENT } = FEED_PAGE;
  t.equal(count(PUSHED, BY_REQUEST, ZERO, PRECOPY), map.states.length, 'all is present');
  t.ok(count(BY_REQUEST) * 4 <= result.result.pages.requested!, 'no more by request than was requested');
  t.ok(
    atSource.model.blocks.get('pc.ram')!.states.every((code) => code === SENT),
    'and all was sent',
  );
  const lines = (viewer: FeedViewer) =>
    viewer.frames.flatMap((frame) => (frame.kind === 'records' ? frame.list : []));
  t.match(
    lines(atDestination).find(({ line }) => line.includes('POSTCOPY_ADVISE')),
    { direction: 'fwd' },
  );
  t.match(
    lines(atSource).find(({ line }) => line.includes('HOST_PAGE')),
    { direction: 'ret' },
  );
});

t.test(
  'a switch to postcopy ends a precopy that would not end; what makes no sense is refused with a reason',
  async (t) => {
    const { source, destination, atSource, atDestination } = await watch([
      ...ram('64M', '4K'),
      ...LONG_PRECOPY,
    ]);
    const refusal = async (viewer: FeedViewer, ...asked: Parameters<FeedViewer['ask']>) => {
      const { ok, reason } = await viewer.ask(...asked);
      t.equal(ok, false, asked[0]);
      return reason;
    };
    t.match(await refusal(atSource, 'switch'), /waiting/);
    t.match(await refusal(atDestination, 'start'), /--control/, 'this end may only be looked at');
    t.ok((await atSource.ask('start')).ok);
    await atSource.state('active');
    t.match(await refusal(atSource, 'start'), /under way/);
    t.match(await refusal(atSource, 'pause-push'), /active/);
    t.match(await refusal(atSource, 'link', { rate: '10gbit' }), /--link/);
    t.ok((await atSource.ask('switch')).ok);
    const [from, result] = await Promise.all([source.ended, destination.ended]);
    t.equal(from.result.status, 'completed', from.stderr);
    t.ok('postcopy-active' in from.result.times.phases);
    t.equal(result.result.guestVerified, true, result.stderr);
  },
);

t.test('a paused push sends nothing unasked until it is resumed', async (t) => {
  const slow = ['--postcopy-after', 'now', '--max-postcopy-bandwidth', '30M', '--rate', '2000'];
  const { source, destination, atSource } = await watch([...ram('64M', '4K'), ...slow]);
  await atSource.ask('start');
  await atSource.state('postcopy-active');
  t.ok((await atSource.ask('pause-push')).ok);
  await atSource.until(({ last }) => last.rates?.pushPaused === true);
  // The batch that was under way when it was paused may be counted in the next tick.
  const background = (): number => atSource.model.last.totals!.backgroundPages;
  let ticks = 0;
  let before = 0;
  await atSource.until(({ last }) => {
    if (last.totals === undefined) return false;
    ticks += 1;
    if (ticks === 40) before = background();
    return ticks === 80;
  });
  t.equal(background(), before, 'nothing more was pushed');
  t.match(await atSource.ask('cancel'), { ok: false, reason: /lose/ });
  t.ok((await atSource.ask('resume-push')).ok);
  const [from, result] = await Promise.all([source.ended, destination.ended]);
  t.equal(from.result.status, 'completed', from.stderr);
  t.equal(result.result.guestVerified, true, result.stderr);
  t.ok(from.result.pages.postcopyBackground! > before);
});

t.test('the emulated link becomes another one', async (t) => {
  const { source, destination, atSource } = await watch([
    ...ram('64M', '4K'),
    '--postcopy-after',
    'now',
    '--link',
    '20mbit',
  ]);
  await atSource.ask('start');
  await atSource.state('postcopy-active');
  t.match(await atSource.ask('link', { rate: 'fast' }), { ok: false, reason: /10gbit/ });
  t.ok((await atSource.ask('link', { rate: '10gbit', rtt: '200us' })).ok);
  await atSource.until(({ last }) => last.hello?.link?.bytesPerSecond === 1.25e9);
  const [from, result] = await Promise.all([source.ended, destination.ended]);
  t.equal(from.result.status, 'completed', from.stderr);
  t.equal(result.result.guestVerified, true, result.stderr);
  t.ok(from.result.times.totalNs < 15e9, 'at the old rate it would have taken 20 s or more');
  t.equal(from.result.link?.forward.bytesPerSecond, 1.25e9);
  t.match(from.result.link?.verdict, /changed during the run/);
});

t.test('a cancel before the switchover leaves the guest at the source', async (t) => {
  const { source, destination, atSource } = await watch([...ram('64M', '4K'), ...LONG_PRECOPY]);
  await atSource.ask('start');
  await atSource.state('active');
  t.ok((await atSource.ask('cancel')).ok);
  const [from] = await Promise.all([source.ended, destination.ended]);
  t.equal(from.exitCode, 3, from.stderr);
  t.equal(from.result.guestAtSource?.isProved, true);
  await atSource.closed;
  t.equal(atSource.model.last.state?.state, 'cancelled');
});

t.test('with --repeat the ends go on, and the feed with them', async (t) => {
  const destination = new Command([
    'destination',
    '--incoming',
    'tcp:127.0.0.1:0',
    '--feed',
    '0',
    '--control',
    '--repeat',
  ]);
  const uri = await destination.listening();
  const args = [...ram('16M', '4K'), '--postcopy-after', 'now', '--no-verify'];
  // A destination takes a moment before it listens again.
  args.push('--connect-timeout', '60000', '--feed', '0', '--control', '--repeat');
  const source = new Command(['source', '--migrate', uri, ...args]);
  const [atSource, atDestination] = await Promise.all([
    FeedViewer.join(source),
    FeedViewer.join(destination),
  ]);
  // Each prints two results, which are no one JSON object.
  for (const end of [source, destination]) end.ended.catch(() => undefined);
  t.teardown(() => {
    for (const end of [source, destination]) end.process.kill('SIGKILL');
  });
  const results = (viewer: FeedViewer): number =>
    viewer.frames.filter(({ kind }) => kind === 'result').length;
  const runs = (viewer: FeedViewer): string[] =>
    viewer.frames.flatMap((frame) => (frame.kind === 'hello' ? [frame.run] : []));
  const listensAgain = (times: number): Promise<unknown> => {
    let count = 0;
    type Listening = Extract<ChildEvent, { kind: 'listening' }>;
    return destination.event((event): event is Listening => {
      count += event.kind === 'listening' ? 1 : 0;
      return count === times;
    });
  };
  for (let run = 1; run <= 2; run += 1) {
    await Promise.all([atSource, atDestination].map((viewer) => viewer.until(() => results(viewer) === run)));
    await listensAgain(run + 1);
    // Its answer comes behind all that it has said before.
    t.notOk((await atDestination.ask('start')).ok);
    for (const { model } of [atSource, atDestination])
      t.equal(model.last.state?.state, 'completed', 'what is over stays to be seen');
    if (run === 2) break;
    t.ok((await atSource.ask('start')).ok);
  }
  for (const viewer of [atSource, atDestination])
    t.ok(new Set(runs(viewer)).size >= 2, 'each run has a name of its own');
  source.process.kill('SIGTERM');
  destination.process.kill('SIGTERM');
  t.equal(await new Promise((resolve) => source.process.once('exit', resolve)), 0, 'as the last one ended');
  await new Promise<void>((resolve) => {
    if (destination.process.exitCode !== null) resolve();
    else destination.process.once('exit', () => resolve());
  });
});

t.test('viewers that read nothing, vanish, or send noise do not hold a migration up', async (t) => {
  const { source, destination, atSource, atDestination } = await watch([
    ...ram('64M', '4K'),
    '--downtime-limit',
    '0',
  ]);
  const still = new FeedViewer(atDestination.socket.url);
  await still.until(({ last }) => last.hello !== undefined);
  still.socket.pause();
  const gone = new FeedViewer(atSource.socket.url);
  await gone.until(({ last }) => last.hello !== undefined);
  gone.socket.terminate();
  const noisy = new FeedViewer(atSource.socket.url);
  await noisy.until(({ last }) => last.hello !== undefined);
  noisy.socket.send(Buffer.from(Array.from({ length: 900 }, (_, index) => (index * 7919) % 251)));
  await noisy.closed;
  await atSource.ask('start');
  const [from, result] = await Promise.all([source.ended, destination.ended]);
  t.equal(from.result.status, 'completed', from.stderr);
  t.equal(result.result.guestVerified, true, result.stderr);
  still.socket.terminate();
});

t.test('--watch tty tells a pipe in plain lines how it goes', async (t) => {
  const ends = await migrate({
    source: [...ram('16M', '4K'), '--postcopy-after', 'now', '--watch', 'tty'],
    destination: ['--watch', 'tty'],
  });
  for (const [end, { stderr, exitCode }] of Object.entries(ends)) {
    t.equal(exitCode, 0, stderr);
    t.match(stderr, new RegExp(`^${end}: waiting`, 'm'));
    t.match(stderr, new RegExp(`^${end}: completed 100 % of 16 MiB`, 'm'));
    t.notOk(stderr.includes('\x1b'));
  }
});
