// Host pages by name and layout, their answers, and the checks of ADVISE and the RAM list.
import t from 'tap';
import { HostPages } from '../../src/destination/host-pages.ts';

const K = 1024;
const LAYOUT = [
  { name: 'nvram', lengthBytes: 64 * K, hostPageBytes: 4 * K, kind: 'device' },
  { name: 'pc.ram', lengthBytes: 1024 * K, hostPageBytes: 64 * K, kind: 'system' },
] as const;
const learned = new HostPages({ defaultBytes: 64 * K, byName: new Map([['vga.vram', 4 * K]]) });
const given = new HostPages({ defaultBytes: 4 * K, byName: new Map(), layout: LAYOUT });

t.test('the default first, then what is named', (t) => {
  t.same(learned.answers(), [
    { block: '', hostPage: 64 * K, placementPage: 64 * K },
    { block: 'vga.vram', hostPage: 4 * K, placementPage: 4 * K },
  ]);
  t.same(
    given.answers().map(({ block, hostPage }) => [block, hostPage]),
    [
      ['', 4 * K],
      ['nvram', 4 * K],
      ['pc.ram', 64 * K],
    ],
  );
  t.end();
});

t.test('a learned list', (t) => {
  const list = [
    { block: 'pc.ram', length: 128 * K, pageSize: 64 * K },
    { block: 'vga.vram', length: 8 * K },
  ];
  t.same(learned.checkList(list, 68 * K), [
    { name: 'pc.ram', lengthBytes: 128 * K, hostPageBytes: 64 * K, kind: 'system' },
    { name: 'vga.vram', lengthBytes: 8 * K, hostPageBytes: 4 * K, kind: 'device' },
  ]);
  t.throws(() => learned.checkList(list, 4 * K), {
    code: 'page-sizes-differ',
    rule: 'D29',
    message: /s=1000 d=11000/,
  });
  const without = [{ block: 'pc.ram', length: 128 * K }, list[1]!];
  t.throws(() => learned.checkList(without, 68 * K), {
    code: 'page-sizes-differ',
    rule: 'D64',
    message: 'Mismatched RAM page size pc.ram (local) 65536 != 4096',
  });
  t.doesNotThrow(() => learned.checkList(without, undefined), 'without ADVISE page sizes do not matter');
  t.equal(learned.fieldFor('pc.ram'), 'guess');
  t.end();
});

t.test('a given layout', (t) => {
  t.equal(given.fieldFor('pc.ram'), 'present');
  t.equal(given.fieldFor('nvram'), 'absent');
  t.doesNotThrow(() => given.checkSummary(68 * K));
  t.throws(() => given.checkSummary(64 * K), { code: 'page-sizes-differ', rule: 'D29' });
  const ram = { block: 'pc.ram', length: 1024 * K };
  const nvram = { block: 'nvram', length: 64 * K };
  const names = given.checkList([ram, nvram], undefined).map(({ name }) => name);
  t.same(names, ['pc.ram', 'nvram'], 'in the order of the list (D63): the guest counts its pages by it');
  t.same(
    given.checkList([ram], undefined).map(({ name }) => name),
    ['pc.ram'],
    'blocks may be left out',
  );
  t.same(
    given.checkList([nvram], 68 * K).map(({ name }) => name),
    ['nvram'],
    'also with an ADVISE, whose summary is that of all blocks (D63)',
  );
  t.throws(() => given.checkList([{ block: 'x', length: 4 * K }], undefined), {
    code: 'unknown-block',
    rule: 'D61',
  });
  t.throws(() => given.checkList([{ ...nvram, length: 32 * K }], undefined), {
    code: 'length-differs',
    rule: 'D62',
  });
  t.end();
});
