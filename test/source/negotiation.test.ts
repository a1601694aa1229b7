// Which page each block is placed in, and every refusal.
import t from 'tap';
import {
  checkPlacements,
  type GuestPages,
  type HostPageAnswer,
  type SourceBlock,
  wantedPlacements,
} from '../../src/source/negotiation.ts';

const K = 1024;
const M = 1024 * K;
const G = 1024 * M;
const BLOCKS: readonly SourceBlock[] = [
  { name: 'pc.ram', lengthBytes: 2 * G, hostPageBytes: 16 * M, kind: 'system' },
  { name: 'vga.vram', lengthBytes: 16 * M, hostPageBytes: 4 * K, kind: 'device' },
];
const RADIX = { mmu: 'radix', guestPageBytes: 4 * K } as const;
const HASH_16M = { mmu: 'hash', guestPageBytes: 16 * M } as const;

function answer(block: string, hostPage: number, placementPage = hostPage): HostPageAnswer {
  return { block, hostPage, placementPage };
}

/** As a source decides. */
function decidePlacement(
  blocks: readonly SourceBlock[],
  answers: readonly HostPageAnswer[],
  guest: GuestPages,
) {
  const placements = wantedPlacements(blocks, answers);
  checkPlacements(blocks, placements, guest);
  return placements;
}

t.test('a legacy peer does not tell: our own pages are taken', (t) => {
  t.same(decidePlacement(BLOCKS, [], RADIX), [
    {
      block: 'pc.ram',
      sourceHostPageBytes: 16 * M,
      destinationHostPageBytes: undefined,
      placementPageBytes: 16 * M,
    },
    {
      block: 'vga.vram',
      sourceHostPageBytes: 4 * K,
      destinationHostPageBytes: undefined,
      placementPageBytes: 4 * K,
    },
  ]);
  t.doesNotThrow(() => decidePlacement(BLOCKS, [], HASH_16M), 'the MMU rule has no sizes to look at');
  t.end();
});

t.test('the default is for blocks that are not named', (t) => {
  const placements = decidePlacement(BLOCKS, [answer('', 1 * G), answer('vga.vram', 4 * K)], RADIX);
  t.same(
    placements.map(({ destinationHostPageBytes, placementPageBytes }) => [
      destinationHostPageBytes,
      placementPageBytes,
    ]),
    [
      [1 * G, 1 * G],
      [4 * K, 4 * K],
    ],
  );
  t.end();
});

t.test('a placement page may be smaller than its host page, and blocks that we lack are no matter', (t) => {
  const answers = [answer('', 4 * K), answer('pc.ram', 1 * G, 2 * M), answer('nvram', 3)];
  const [ram, vga] = decidePlacement(BLOCKS, answers, RADIX);
  t.match(ram, { destinationHostPageBytes: 1 * G, placementPageBytes: 2 * M });
  t.match(vga, { destinationHostPageBytes: 4 * K, placementPageBytes: 4 * K });
  t.end();
});

t.test('refusals name block, sizes and rule', (t) => {
  const cases: {
    what: string;
    answers: readonly HostPageAnswer[];
    guest?: { mmu: 'radix' | 'hash'; guestPageBytes: number };
    code: string;
    rule: string;
    message: RegExp;
  }[] = [
    {
      what: 'no default first',
      answers: [answer('pc.ram', 4 * K), answer('', 4 * K)],
      code: 'bad-host-page-list',
      rule: 'N4',
      message: /empty block name\) first, found 'pc\.ram'/,
    },
    {
      what: 'the default twice',
      answers: [answer('', 4 * K), answer('', 64 * K)],
      code: 'bad-host-page-list',
      rule: 'N4',
      message: /found '' again/,
    },
    {
      what: 'a block twice',
      answers: [answer('', 4 * K), answer('pc.ram', 4 * K), answer('pc.ram', 4 * K)],
      code: 'bad-host-page-list',
      rule: 'N4',
      message: /found 'pc\.ram' again/,
    },
    {
      what: 'no power of two',
      answers: [answer('', 12 * K)],
      code: 'placement-page-refused',
      rule: 'N7',
      message:
        /'pc\.ram' \(length 2G, source host page 16M, destination host page 12K, placement page 12K\): .*power of two/,
    },
    {
      what: 'a placement page of zero',
      answers: [answer('', 4 * K, 0)],
      code: 'placement-page-refused',
      rule: 'N7',
      message: /power of two/,
    },
    {
      what: 'below the target page',
      answers: [answer('', 4 * K, 2 * K)],
      code: 'placement-page-refused',
      rule: 'N7',
      message: /at least the target page, 4K/,
    },
    {
      what: 'above the host page',
      answers: [answer('', 4 * K, 64 * K)],
      code: 'placement-page-refused',
      rule: 'N7',
      message: /not be larger than the destination host page/,
    },
    {
      what: 'a block that it does not divide',
      answers: [answer('', 1 * G)],
      code: 'placement-page-refused',
      rule: 'N7',
      message: /'vga\.vram' .*must divide the length/,
    },
    {
      what: 'a hash guest on small host pages',
      answers: [answer('', 2 * M), answer('vga.vram', 4 * K)],
      guest: HASH_16M,
      code: 'mmu-refused',
      rule: 'N8',
      message: /'pc\.ram'.* 16M guest page cannot be backed by 2M host pages/,
    },
  ];
  for (const { what, answers, guest = RADIX, code, rule, message } of cases)
    t.throws(() => decidePlacement(BLOCKS, answers, guest), { code, rule, message }, what);
  t.end();
});

t.test('device memory is no concern of the hash MMU', (t) => {
  const answers = [answer('', 16 * M), answer('vga.vram', 4 * K)];
  t.equal(decidePlacement(BLOCKS, answers, HASH_16M)[0]!.placementPageBytes, 16 * M);
  t.end();
});
