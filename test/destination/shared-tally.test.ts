// Two threads place into one guest: a host page is placed by the one that begins it first, and both counts add up.
import t from 'tap';
import { FaultBoard } from '../../src/destination/fault-board.ts';
import { PagePlacer } from '../../src/destination/page-placer.ts';
import { RamTally } from '../../src/destination/ram-tally.ts';
import { PAGE_STATE } from '../../src/machine/page-state.ts';
import { RamImage } from '../../src/machine/ram-block.ts';

const K = 1024;
const BODY = new Uint8Array(4 * K).fill(7);
const COLLAPSE = { nowNs: () => 1, collapseNs: 0 };

/** The tally of the thread that decides, that of the other, and a placer each. */
function twoPlacers() {
  const image = RamImage.allocate(
    [{ name: 'pc.ram', lengthBytes: 32 * K, hostPageBytes: 8 * K, kind: 'system' }],
    'missing',
  );
  const main = new RamTally(image, COLLAPSE);
  main.isPostcopy = true;
  const other = new RamTally(new RamImage(image.shared), COLLAPSE, main.share());
  other.isPostcopy = true;
  const placers = [main, other].map((tally) => {
    const options = { profile: 'strict', board: FaultBoard.allocate(1), nowNs: () => 1 } as const;
    const placer = new PagePlacer(tally, options);
    placer.selectBlock('pc.ram');
    return placer;
  });
  return { image, main, other, placers };
}

function page(placer: PagePlacer, index: number): void {
  placer.page(index * 4 * K);
  placer.pageBytes(BODY, 0, 4 * K, 0);
}

for (const [name, first, second] of [
  ['the main channel first', 0, 1],
  ['the preempt channel first', 1, 0],
] as const) {
  t.test(`a host page that both bring, ${name}`, async (t) => {
    const { image, placers } = twoPlacers();
    page(placers[first]!, 2);
    t.throws(() => placers[second]!.page(2 * 4 * K), { code: 'page-already-present', rule: 'D83' });
    t.equal(image.blocks[0]!.pageState(1), PAGE_STATE.MISSING);
    page(placers[first]!, 3);
    t.equal(image.blocks[0]!.pageState(1), PAGE_STATE.PRESENT, 'who began it places it');
    t.throws(() => placers[second]!.page(3 * 4 * K), { code: 'page-already-present' });
  });
}

t.test('what the other thread has placed counts as soon as it tells', async (t) => {
  const { image, main, other, placers } = twoPlacers();
  image.blocks[0]!.claim(1);
  for (const index of [0, 1]) page(placers[0]!, index);
  for (const index of [2, 3, 4, 5]) page(placers[1]!, index);
  t.equal(main.blocks[0]!.missingCount, 3, 'nothing was told yet');
  other.publishCounts();
  t.equal(main.blocks[0]!.missingCount, 1);
  t.match(main.pages, { backgroundPages: 4, requestedPages: 2, zeroPages: 0, duplicatePages: 0 });
  t.notOk(main.isWhole);
  t.throws(() => main.checkComplete(), { code: 'page-missing', message: /1 host pages .* offset 0x6000/ });
  for (const index of [6, 7]) page(placers[1]!, index);
  other.publishCounts();
  t.ok(main.isWhole);
  t.same(
    [0, 1, 2, 3].map((hostPage) => main.blocks[0]!.pushed.test(hostPage)),
    [true, false, true, true],
    'pages that nobody had asked for, whoever placed them',
  );
});
