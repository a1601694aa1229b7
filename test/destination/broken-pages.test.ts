// Host pages in pieces: which piece is whose, and when a page is collapsed.
import t from 'tap';
import { BrokenPages } from '../../src/destination/broken-pages.ts';
import { HostPages } from '../../src/destination/host-pages.ts';
import { RamTally } from '../../src/destination/ram-tally.ts';
import { RamImage } from '../../src/machine/ram-block.ts';
import { checkPlacements } from '../../src/source/negotiation.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

/** A clock that goes on by `stepNs` at each look. */
function clock(stepNs: number): () => number {
  let nowNs = 0;
  return () => {
    nowNs += stepNs;
    return nowNs;
  };
}

/** One level, of pages of so many pieces. */
function single(pieceCount: number, piecesPerPage: number, collapseNs = 0, stepNs = 1): BrokenPages {
  const level = { pageBytes: piecesPerPage * 4 * KIB, piecesPerPage, collapseNs };
  return new BrokenPages({ pieceCount, levels: [level], nowNs: clock(stepNs) });
}

const pagesOf = ({ collapses }: BrokenPages): number[] => collapses.map(({ page }) => page);

t.test('a page collapses when its last piece has come, whatever the order', async (t) => {
  const pages = single(10, 4);
  for (const piece of [3, 4, 0, 1]) pages.place(piece, true);
  t.equal(pages.brokenCount, 2);
  t.same(pages.collapses, []);
  pages.place(2, true);
  t.same(pagesOf(pages), [0]);
  for (const piece of [9, 8]) pages.place(piece, true);
  t.same(pagesOf(pages), [0, 2], 'the last page of the block is shorter');
  t.equal(pages.brokenCount, 1);
});

t.test('a page that came whole in precopy was never broken, unless a piece of it is discarded', async (t) => {
  const pages = single(4, 2);
  for (const piece of [0, 1, 2, 3]) pages.place(piece, false);
  t.same(pages.collapses, []);
  pages.discard(3);
  t.equal(pages.brokenCount, 1);
  pages.place(3, true);
  t.same(pagesOf(pages), [1]);
});

t.test('a collapse takes as long as it is told to', async (t) => {
  const pages = single(1, 1, 1000, 300);
  pages.place(0, true);
  t.same(pages.collapses, [{ page: 0, atNs: 600, costNs: 1200, inPiecesNs: 300 }]);
});

/** Pages of 2 pieces, and host pages of 3 of those, of which the last is shorter. */
function twoLevels(costs: readonly [number, number] = [0, 0], nowNs = clock(1)): [BrokenPages, BrokenPages] {
  const pages = new BrokenPages({
    pieceCount: 9,
    levels: [
      { pageBytes: 2 * 4 * KIB, piecesPerPage: 2, collapseNs: costs[0] },
      { pageBytes: 6 * 4 * KIB, piecesPerPage: 3, collapseNs: costs[1] },
    ],
    nowNs,
  });
  const [lower, upper] = pages.levels;
  t.equal(lower, pages);
  return [pages, upper!];
}

t.test('pieces become pages of the level between first, and those a host page', async (t) => {
  const [lower, upper] = twoLevels();
  t.same([lower.pageBytes, upper.pageBytes], [8 * KIB, 24 * KIB]);
  for (const piece of [1, 4, 0, 5]) lower.place(piece, true);
  t.same([pagesOf(lower), pagesOf(upper)], [[0, 2], []]);
  t.same([lower.brokenCount, upper.brokenCount], [0, 1]);
  lower.place(3, true);
  t.same([lower.brokenCount, upper.brokenCount], [1, 1]);
  lower.place(2, true);
  t.same([pagesOf(lower), pagesOf(upper)], [[0, 2, 1], [0]], 'the last piece of both');
  lower.place(8, true);
  t.same([pagesOf(lower).at(-1), pagesOf(upper)], [4, [0]], 'a shorter page');
  lower.place(6, true);
  t.same([lower.brokenCount, upper.brokenCount], [1, 1]);
  lower.place(7, true);
  t.same([pagesOf(lower).at(-1), pagesOf(upper)], [3, [0, 1]], 'a shorter host page');
  t.same([lower.brokenCount, upper.brokenCount], [0, 0]);
});

t.test('a host page of which only a piece of a piece has come is broken too', async (t) => {
  const [lower, upper] = twoLevels();
  t.same([lower.brokenCount, upper.brokenCount], [0, 0]);
  lower.place(3, true);
  t.same([lower.brokenCount, upper.brokenCount], [1, 1]);
});

t.test('of what came in precopy only what was broken later is collapsed, on each level', async (t) => {
  const [lower, upper] = twoLevels();
  for (let piece = 0; piece < 9; piece += 1) lower.place(piece, false);
  t.same([lower.collapses, upper.collapses], [[], []]);
  lower.discard(3);
  lower.discard(2);
  t.same([lower.brokenCount, upper.brokenCount], [0, 1], 'a page of the level between is missing as a whole');
  lower.place(2, true);
  lower.place(3, true);
  t.same([pagesOf(lower), pagesOf(upper)], [[1], [0]]);
});

t.test('each level has its cost, and is in pieces since its first piece of all', async (t) => {
  let nowNs = 0;
  const ticks = (): number => {
    nowNs += 1;
    return nowNs;
  };
  const [lower, upper] = twoLevels([10, 100], ticks);
  const placeAt = (piece: number, atNs: number): void => {
    nowNs = atNs - 1;
    lower.place(piece, true);
  };
  placeAt(2, 1000);
  for (const [piece, atNs] of [
    [0, 2000],
    [1, 3000],
    [4, 4000],
    [5, 5000],
  ] as const)
    placeAt(piece, atNs);
  placeAt(3, 9000);
  t.same(lower.collapses, [
    { page: 0, atNs: 3000, costNs: 10, inPiecesNs: 1000 },
    { page: 2, atNs: 5000, costNs: 10, inPiecesNs: 1000 },
    { page: 1, atNs: 9000, costNs: 10, inPiecesNs: 8000 },
  ]);
  t.same(upper.collapses, [{ page: 0, atNs: 9011, costNs: 100, inPiecesNs: 8011 }], 'after the level below');
});

t.test('the tally makes the levels that lie between the pieces and the host page of a block', async (t) => {
  const block = (name: string, wholePageBytes: number) =>
    ({ name, lengthBytes: 128 * KIB, hostPageBytes: 4 * KIB, wholePageBytes, kind: 'system' }) as const;
  const image = RamImage.allocate([block('a', 64 * KIB), block('b', 16 * KIB)], 'missing');
  const collapseSteps = [
    { pageBytes: 8 * KIB, collapseNs: 0 },
    { pageBytes: 16 * KIB, collapseNs: 0 },
  ];
  const tally = new RamTally(image, { nowNs: clock(1), collapseNs: 0, collapseSteps });
  const [a, b] = tally.blocks;
  const sizes = (pages: BrokenPages | undefined) => pages?.levels.map(({ pageBytes }) => pageBytes / KIB);
  t.same(
    [sizes(a!.broken), sizes(b!.broken)],
    [
      [8, 16, 64],
      [8, 16],
    ],
  );
  for (let piece = 0; piece < 5; piece += 1) a!.publish(piece, true);
  for (let piece = 0; piece < 32; piece += 1) b!.publish(piece, true);
  t.match(tally.collapses, {
    count: 8,
    brokenCount: 1,
    steps: [
      { pageBytes: 8 * KIB, count: 2 + 16, brokenCount: 1 },
      { pageBytes: 16 * KIB, count: 1, brokenCount: 1 },
    ],
  });
});

t.test('what is answered, and what HP(block) is then', async (t) => {
  const hostPages = new HostPages({
    defaultBytes: 1024 * MIB,
    byName: new Map([['vga.vram', 4 * KIB]]),
    placementBytes: 64 * KIB,
  });
  t.same(hostPages.answers(), [
    { block: '', hostPage: 1024 * MIB, placementPage: 64 * KIB },
    { block: 'vga.vram', hostPage: 4 * KIB, placementPage: 4 * KIB },
  ]);
  t.equal(hostPages.of('pc.ram'), 64 * KIB);
  const entries = [
    { block: 'pc.ram', length: 2048 * MIB, pageSize: 64 * KIB },
    { block: 'vga.vram', length: 16 * MIB },
  ];
  t.same(hostPages.checkList(entries, 68 * KIB), [
    {
      name: 'pc.ram',
      lengthBytes: 2048 * MIB,
      hostPageBytes: 64 * KIB,
      wholePageBytes: 1024 * MIB,
      kind: 'system',
    },
    { name: 'vga.vram', lengthBytes: 16 * MIB, hostPageBytes: 4 * KIB, kind: 'device' },
  ]);
});

t.test('a hash guest runs on a page in pieces only if it is told that it may (N8)', async (t) => {
  const block = { name: 'pc.ram', lengthBytes: 2048 * MIB, hostPageBytes: 16 * MIB, kind: 'system' } as const;
  const placement = {
    block: 'pc.ram',
    sourceHostPageBytes: 16 * MIB,
    destinationHostPageBytes: 1024 * MIB,
    placementPageBytes: 4 * KIB,
  };
  const guest = { mmu: 'hash', guestPageBytes: 16 * MIB } as const;
  t.throws(() => checkPlacements([block], [placement], guest), {
    code: 'mmu-refused',
    rule: 'N8',
    message:
      /16M guest page cannot be backed by 4K host pages, not even until all pieces .* --allow-broken-pages/,
  });
  checkPlacements([block], [placement], { ...guest, mayRunOnBroken: true });
  checkPlacements([block], [placement], { ...guest, mmu: 'radix' });
  checkPlacements([block], [{ ...placement, placementPageBytes: 16 * MIB }], guest);
});
