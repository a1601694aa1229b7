// A matrix expands to the cells that it says, and what it must not say is refused with the place and the reason.
import t from 'tap';
import type { Cell } from '../../bench/cells/axes.ts';
import { labelCells } from '../../bench/cells/cell-labels.ts';
import { expandMatrix } from '../../bench/cells/expand.ts';
import { parseMatrix, readMatrix } from '../../bench/cells/matrix.ts';
import { listFiles, repositoryUrl } from '../fixtures.ts';

function expand(json: unknown): Cell[] {
  return expandMatrix(parseMatrix(json, 'm'));
}

function labels(json: unknown): string[] {
  const cells = expand(json);
  return cells.map(labelCells(cells));
}

t.test('all combinations, the later axes faster, on top of what is fixed', async (t) => {
  const cells = expand({
    fixed: { ram: '64M', seed: 7 },
    axes: { link: ['1gbit', 'none'], 'destination-page': ['4K', '2M'] },
  });
  t.strictSame(
    cells.map((cell) => [cell['destination-page'], cell.link]),
    [
      ['4K', '1gbit'],
      ['4K', 'none'],
      ['2M', '1gbit'],
      ['2M', 'none'],
    ],
  );
  t.ok(cells.every((cell) => cell.ram === '64M' && cell.seed === 7 && cell.push === 'forward'));
});

t.test('what is excluded goes, what is added comes', async (t) => {
  t.strictSame(
    labels({
      axes: { 'destination-page': ['4K', '64K', '2M'], channels: [1, 2] },
      exclude: [{ 'destination-page': ['64K', '2M'], channels: 2 }],
      add: [{ 'destination-page': '1G', channels: [1, 2] }],
      fixed: { ram: '1G' },
    }),
    [
      'destination-page 4K, channels 1',
      'destination-page 4K, channels 2',
      'destination-page 64K, channels 1',
      'destination-page 2M, channels 1',
      'destination-page 1G, channels 1',
      'destination-page 1G, channels 2',
    ],
  );
});

t.test('without axes there is only what is added', async (t) => {
  t.strictSame(labels({ add: [{ vcpus: 3 }, { vcpus: 4, rate: [0, 10] }] }), [
    'vcpus 3, rate 20000',
    'vcpus 4, rate 0',
    'vcpus 4, rate 10',
  ]);
});

t.test('each value has one form', async (t) => {
  const [cell] = expand({
    fixed: { ram: 33_554_432, link: '2500Mbit', rtt: '1000us', 'source-page': '4096' },
    add: [{ 'destination-page': '2048K', 'max-flight': 65_536 }],
  });
  t.match(cell, {
    ram: '32M',
    link: '2.5gbit',
    rtt: '1ms',
    'source-page': '4K',
    'destination-page': '2M',
    'max-flight': '64K',
  });
});

const add = [{ seed: 2 }];
const REFUSED: readonly [string, unknown, RegExp][] = [
  ['no object', [], /^m: expected an object, found \[\]$/],
  ['an unknown key', { add, axis: {} }, /^m: expected only title, .*, found 'axis'$/],
  [
    'an unknown axis',
    { axes: { pages: ['4K'] } },
    /^m: axes: no axis is called 'pages'; there are source-page, /,
  ],
  ['a name of every object', { fixed: { constructor: 1 }, add }, /no axis is called 'constructor'/],
  ['no cells', {}, /^m: expected values in axes, or combinations in add, found neither$/],
  [
    'an axis without values',
    { axes: { link: [] } },
    /^m: axes\.link: expected at least one value, found none$/,
  ],
  [
    'a value of another kind',
    { axes: { vcpus: [1, '2'] } },
    /^m: axes\.vcpus\[1\]: expected a whole number from 1 to 64, found "2"$/,
  ],
  [
    'a page that is none',
    { axes: { 'source-page': ['4K', '5K'] } },
    /^m: axes\.source-page\[1\]: expected a power of two from 4K to 16G, found "5K"$/,
  ],
  [
    'a link that is none',
    { fixed: { link: '10gb' }, add },
    /^m: fixed\.link: expected none, or a rate such as 10gbit, .* found "10gb"$/,
  ],
  [
    'a strategy that is none',
    { axes: { push: ['bubble-0'] } },
    /push\[0\]: expected none, sequential, .*found "bubble-0"$/,
  ],
  ['a list where one is fixed', { fixed: { seed: [1] }, add }, /^m: fixed\.seed: expected a whole number/],
  ['a value where a list varies', { axes: { seed: 1 } }, /^m: axes\.seed: expected a list, found 1$/],
  ['a value twice', { axes: { ram: ['1G', '1024M'] } }, /^m: axes\.ram: "1G" stands there twice$/],
  [
    'an axis fixed and varied',
    { fixed: { seed: 1 }, axes: { seed: [1] } },
    /^m: axes\.seed: it is fixed as well$/,
  ],
  [
    'an exclusion of nothing',
    { axes: { seed: [1] }, exclude: [{ seed: 2 }] },
    /^m: exclude\[0\] excludes nothing/,
  ],
  [
    'an empty exclusion',
    { axes: { seed: [1] }, exclude: [{}] },
    /^m: exclude\[0\]: expected an axis, found none$/,
  ],
  [
    'all excluded',
    { axes: { seed: [1] }, exclude: [{ seed: 1 }] },
    /^m: expected cells, found that all are excluded$/,
  ],
  ['a cell twice', { axes: { seed: [1, 2] }, add }, /^m: cell seed 2 stands there twice$/],
  ['repeats of none', { add, repeats: 0 }, /^m: repeats: expected a whole number from 1 to 1000, found 0$/],
  ['a title that is none', { add, title: 5 }, /^m: title: expected a text, found 5$/],
  [
    'an RTT of no link',
    { axes: { rtt: ['0us', '1ms'] } },
    /^m: cell rtt 1ms: rtt 1ms has no effect without a link; exclude it$/,
  ],
  [
    'a page larger than RAM',
    { axes: { 'destination-page': ['1G'] } },
    /: ram 256M is not a multiple of destination-page 1G$/,
  ],
  [
    'a placement page too large',
    { fixed: { 'placement-page': '2M' }, add },
    /placement-page 2M is larger than destination-page 4K$/,
  ],
  [
    'a size to collapse at that is none between',
    { fixed: { 'destination-page': '2M', 'placement-page': '64K', 'collapse-at': '64K' }, add },
    /collapse-at 64K is not between placement-page 64K and destination-page 2M$/,
  ],
  [
    'a size to collapse at without pieces',
    { axes: { 'collapse-at': ['2M'] } },
    /collapse-at 2M has no effect without a placement-page; exclude it$/,
  ],
  [
    'a piece that is no larger than what it is made of',
    { fixed: { 'destination-page': '2M', 'push-piece': '2M' }, add },
    /push-piece 2M has no effect on placement pages as large; exclude it$/,
  ],
  [
    'an order of pieces where host pages come whole',
    { axes: { 'push-rest-first': [false] } },
    /push-rest-first false has no effect without a placement-page, negotiation and a push; exclude it$/,
  ],
  ['hot-first without precopy', { axes: { push: ['hot-first'] } }, /postcopy-after now leaves it none$/],
  [
    'too many cells',
    { axes: { seed: [...Array(101).keys()], rate: [...Array(100).keys()] } },
    /^expected at most 10000 cells, found more$/,
  ],
];

for (const [name, json, message] of REFUSED) {
  t.test(`refused: ${name}`, async (t) => {
    t.throws(() => expand(json), { name: 'MatrixError', message });
  });
}

t.test('a file that is no JSON, or is not there, is named', async (t) => {
  const path = repositoryUrl('README.md').pathname;
  t.throws(() => readMatrix(path), { name: 'MatrixError', message: /README\.md: .*JSON/ });
  t.throws(() => readMatrix('/nowhere/m.json'), {
    name: 'MatrixError',
    message: /\/nowhere\/m\.json: ENOENT/,
  });
});

t.test('the matrices that are shipped', async (t) => {
  const paths = listFiles('bench/matrices');
  t.ok(paths.length >= 4);
  for (const path of paths) {
    const matrix = readMatrix(repositoryUrl(path).pathname);
    t.not(matrix.title, matrix.name, `${path} has a title`);
    const cells = expandMatrix(matrix);
    t.ok(cells.length > 4, path);
    t.equal(new Set(cells.map(labelCells(cells))).size, cells.length, `${path}: no two cells have one name`);
  }
});
