// Host pages in pieces: which piece is whose, and when a page is collapsed.
import t from 'tap';
import { BrokenPages } from '../../src/destination/broken-pages.ts';
import { HostPages } from '../../src/destination/host-pages.ts';
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

t.test('a page collapses when its last piece has come, whatever the order', async (t) => {
  const pages = new BrokenPages({ pieceCount: 10, piecesPerPage: 4, nowNs: clock(1), collapseNs: 0 });
  for (const piece of [3, 4, 0, 1]) pages.place(piece, true);
  t.equal(pages.brokenCount, 2);
  t.same(pages.collapses, []);
  pages.place(2, true);
  t.same(
    pages.collapses.map(({ hostPage }) => hostPage),
    [0],
  );
  for (const piece of [9, 8]) pages.place(piece, true);
  t.same(
    pages.collapses.map(({ hostPage }) => hostPage),
    [0, 2],
    'the last page of the block is shorter',
  );
  t.equal(pages.brokenCount, 1);
});

t.test('a page that came whole in precopy was never broken, unless a piece of it is discarded', async (t) => {
  const pages = new BrokenPages({ pieceCount: 4, piecesPerPage: 2, nowNs: clock(1), collapseNs: 0 });
  for (const piece of [0, 1, 2, 3]) pages.place(piece, false);
  t.same(pages.collapses, []);
  pages.discard(3);
  t.equal(pages.brokenCount, 1);
  pages.place(3, true);
  t.same(
    pages.collapses.map(({ hostPage }) => hostPage),
    [1],
  );
});

t.test('a collapse takes as long as it is told to', async (t) => {
  const pages = new BrokenPages({ pieceCount: 1, piecesPerPage: 1, nowNs: clock(300), collapseNs: 1000 });
  pages.place(0, true);
  t.same(pages.collapses, [{ hostPage: 0, atNs: 300, costNs: 1200 }]);
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
