// What viewers are shown of pages: after any changes, and whatever a tick may cost, they see what there is.
import fc from 'fast-check';
import t from 'tap';
import { PageMap } from '../../src/feed/page-map.ts';
import { DestinationPages, type PageReader, SourcePages, shownUnit } from '../../src/feed/page-reader.ts';
import { applyRuns, FEED_PAGE } from '../../src/feed/page-runs.ts';
import { PAGE_ORIGIN } from '../../src/machine/page-origins.ts';
import { RamImage } from '../../src/machine/ram-block.ts';

const SEED = 20251126;
const K = 1024;

/** A block whose states a test sets. */
function reader(block: string, states: Uint8Array): PageReader {
  return {
    block,
    unit: 4096,
    count: states.length,
    initial: FEED_PAGE.MISSING,
    read: (from, into) => into.set(states.subarray(from, from + into.length)),
  };
}

/** A viewer: what it is told, laid over what it knew. */
function view(sizes: Readonly<Record<string, number>>) {
  const known = new Map(Object.entries(sizes).map(([name, count]) => [name, new Uint8Array(count)]));
  const take = (bodies: ReturnType<PageMap['changes']>): void => {
    for (const { block, first, states } of bodies) applyRuns(known.get(block)!, first, states);
  };
  return { known, take };
}

t.test('changes of any kind are seen in the end, within any budget', async (t) => {
  const change = fc.record({
    block: fc.constantFrom('a', 'b'),
    first: fc.nat(9999),
    count: fc.integer({ min: 1, max: 300 }),
    state: fc.nat(10),
  });
  fc.assert(
    fc.property(
      fc.array(fc.array(change, { maxLength: 12 }), { maxLength: 6 }),
      fc.integer({ min: 200, max: 5000 }),
      (ticks, budget) => {
        const real = { a: new Uint8Array(10_000), b: new Uint8Array(3) };
        const map = new PageMap([reader('a', real.a), reader('b', real.b)]);
        const viewer = view({ a: 10_000, b: 3 });
        for (const changes of ticks) {
          for (const { block, first, count, state } of changes) real[block].fill(state, first, first + count);
          const bodies = map.changes(budget);
          const told = bodies.reduce((sum, body) => sum + body.states.length, 0);
          t.ok(told <= budget, `${told} of ${budget} bytes`);
          viewer.take(bodies);
        }
        for (let round = 0; round < 200; round += 1) viewer.take(map.changes(budget));
        t.strictSame(map.changes(budget), [], 'nothing is told twice');
        for (const name of ['a', 'b'] as const) {
          t.equal(Buffer.compare(viewer.known.get(name)!, real[name]), 0, name);
        }
        const late = view({ a: 10_000, b: 3 });
        const cursor = { block: 0, entry: 0 };
        for (
          let piece = map.snapshot(cursor, budget);
          piece.length > 0;
          piece = map.snapshot(cursor, budget)
        ) {
          late.take(piece);
        }
        t.equal(Buffer.compare(late.known.get('a')!, real.a), 0, 'and a snapshot shows the same');
        const zeros = [...real.a, ...real.b].filter((state) => state === 0).length;
        t.equal(map.bytesIn(0), zeros * 4096, 'and it is counted');
      },
    ),
    { seed: SEED, numRuns: 40 },
  );
});

t.test('changes that come while a snapshot is told are seen by who is told it', async (t) => {
  const real = Uint8Array.from({ length: 6000 }, (_, index) => index % 3);
  const map = new PageMap([reader('a', real)]);
  map.changes(100_000);
  const viewer = view({ a: 6000 });
  const cursor = { block: 0, entry: 0 };
  let pieces = 0;
  for (let piece = map.snapshot(cursor, 2000); piece.length > 0; piece = map.snapshot(cursor, 2000)) {
    viewer.take(piece);
    pieces += 1;
    real.fill(9, (pieces * 977) % 6000, ((pieces * 977) % 6000) + 5);
    viewer.take(map.changes(10_000));
  }
  t.ok(pieces > 10, `${pieces} pieces`);
  t.equal(Buffer.compare(viewer.known.get('a')!, real), 0);
});

t.test('with no time at all, every call looks at one stretch more', async (t) => {
  const real = new Uint8Array(20_000).fill(3);
  const map = new PageMap([reader('a', real)]);
  const never = (): boolean => false;
  const viewer = view({ a: 20_000 });
  viewer.take(map.changes(10_000, never));
  t.strictSame([...viewer.known.get('a')!.subarray(4095, 4097)], [3, 0]);
  for (let call = 1; call < 5; call += 1) viewer.take(map.changes(10_000, never));
  t.equal(Buffer.compare(viewer.known.get('a')!, real), 0, 'five stretches');

  const late = view({ a: 20_000 });
  const cursor = { block: 0, entry: 0 };
  late.take(map.snapshot(cursor, 10_000, never));
  t.strictSame(cursor, { block: 0, entry: 4096 });
  for (let piece = 1; piece < 5; piece += 1) late.take(map.snapshot(cursor, 10_000, never));
  t.equal(Buffer.compare(late.known.get('a')!, real), 0);
});

t.test('a few large pages are shown in parts, many small ones as they are', async (t) => {
  t.equal(shownUnit(2 ** 31, 2 ** 30), 2 ** 19, '2 GiB in two pages: 4096 parts');
  t.equal(shownUnit(2 ** 31, 4096), 4096);
  t.equal(shownUnit(64 * K, 16 * K), 4096, 'no smaller than a target page');
  t.equal(shownUnit(3 * 2 ** 30, 2 ** 21), 2 ** 19);
});

t.test('pages at a destination', async (t) => {
  const spec = { name: 'ram', lengthBytes: 64 * K, hostPageBytes: 16 * K, kind: 'system' } as const;
  const [ram] = RamImage.allocate([spec], 'missing').withOrigins().blocks;
  const pages = new DestinationPages(ram!);
  const states = (): number[] => {
    const into = new Uint8Array(16);
    pages.read(0, into);
    return [...into];
  };
  t.strictSame(states(), new Array(16).fill(FEED_PAGE.MISSING));
  ram!.claim(0);
  ram!.received.set(1);
  t.strictSame(states().slice(0, 4), [1, 2, 1, 1], 'requested, of which one target page is there');
  ram!.origins!.noteData(0);
  ram!.origins!.note(0, PAGE_ORIGIN.REQUESTED);
  ram!.publish(0);
  ram!.origins!.note(1, PAGE_ORIGIN.PUSHED);
  ram!.publish(1);
  ram!.origins!.noteData(2);
  ram!.origins!.note(2, PAGE_ORIGIN.PUSHED);
  ram!.publish(2);
  ram!.origins!.noteData(3);
  ram!.origins!.note(3, PAGE_ORIGIN.PRECOPY);
  ram!.publish(3);
  t.strictSame(
    [0, 4, 8, 12].map((entry) => states()[entry]),
    [FEED_PAGE.BY_REQUEST, FEED_PAGE.ZERO, FEED_PAGE.PUSHED, FEED_PAGE.PRECOPY],
  );
  ram!.discardRange(48 * K, 16 * K);
  ram!.origins!.noteDiscard(3, 1);
  t.equal(states()[12], FEED_PAGE.DISCARDED);
});

t.test('pages at a source, in target pages and in larger units, are those of its bitmaps', async (t) => {
  const bits = fc.array(fc.tuple(fc.boolean(), fc.boolean(), fc.boolean()), {
    minLength: 256,
    maxLength: 256,
  });
  fc.assert(
    fc.property(bits, fc.nat(200), (pages, from) => {
      const spec = { name: 'ram', lengthBytes: 1024 * K, hostPageBytes: 4 * K, kind: 'system' } as const;
      const [ram] = RamImage.allocate([spec], 'present').blocks;
      pages.forEach(([dirty, logged, sent], page) => {
        if (dirty) ram!.dirty.set(page);
        if (logged) ram!.dirtyLog.set(page);
        if (sent) ram!.sent.set(page);
      });
      const expected = pages.map(([dirty, logged, sent]) =>
        !sent ? FEED_PAGE.TO_SEND : dirty || logged ? FEED_PAGE.DIRTY : FEED_PAGE.SENT,
      );
      const into = new Uint8Array(256 - from);
      new SourcePages(ram!, 4 * K).read(from, into);
      t.strictSame([...into], expected.slice(from));
    }),
    { seed: SEED, numRuns: 60 },
  );
  const large = { name: 'ram', lengthBytes: 2 ** 26, hostPageBytes: 2 ** 14, kind: 'system' } as const;
  const [ram] = RamImage.allocate([large], 'present').blocks;
  const pages = new SourcePages(ram!, 2 ** 14);
  t.equal(pages.count, 4096);
  ram!.sent.setRange(0, 11);
  ram!.dirty.set(5);
  const into = new Uint8Array(4);
  pages.read(0, into);
  t.strictSame([...into], [FEED_PAGE.SENT, FEED_PAGE.DIRTY, FEED_PAGE.TO_SEND, FEED_PAGE.TO_SEND]);
});
