// The converter of lackey's log: hand-written logs against records worked out by hand, and what it refuses.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import t from 'tap';
import { parseTrace } from '../../src/machine/trace.ts';

// From dist/test/scripts.
const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

// Pages 0x1000, 0x1001, 0x1fff000, and code on page 0x400.
const LOG = [
  '==1== Lackey, an example Valgrind tool',
  'I  00400ff0,3',
  ' L 01000010,8',
  ' L 01000ff8,8', // the last bytes of the same page
  ' S 1fff000760,8',
  'I  00400ff3,5',
  ' M 01001004,4',
  ' L 01001008,4', // folds into the write before
  ' L 01000ffc,8', // lies on two pages
  ' S 01000000,1',
  '==1== ',
  ' L 1fff000000,16',
  '',
].join('\n');

/** Runs the converter on a log and returns its trace and what it told. */
function convert(dir: string, log: string, ...options: string[]) {
  const script = join(ROOT, 'scripts/lackey-to-trace.mjs');
  const output = join(dir, options.includes('--packed') ? 'out.trace.gz' : 'out.trace');
  const args = [...options.filter((option) => option !== '--packed'), '--output', output];
  const labels = ['--program', 'p 1', '--source', 'lackey'];
  const { status, stderr } = spawnSync(process.execPath, [script, ...labels, ...args], {
    input: log,
    encoding: 'utf8',
  });
  return { status, stderr, bytes: status === 0 ? readFileSync(output) : Buffer.alloc(0) };
}

t.test('the converter', async (t) => {
  const dir = t.testdir();
  const [R, W] = [0, 1];
  const cases: readonly [name: string, options: string[], pageCount: number, records: [number, number][]][] =
    [
      // Pages 0x1000 = 0, 0x1001 = 1, 0x1fff000 = 2.
      [
        'data only',
        [],
        3,
        [
          [0, R],
          [2, W],
          [1, W],
          [0, R],
          [1, R],
          [0, W],
          [2, R],
        ],
      ],
      // Pages 0x400 = 0, 0x1000 = 1, 0x1001 = 2, 0x1fff000 = 3.
      [
        'with instructions',
        ['--instructions'],
        4,
        [
          [0, R],
          [1, R],
          [3, W],
          [0, R],
          [2, W],
          [1, R],
          [2, R],
          [1, W],
          [3, R],
        ],
      ],
      // Records: 0 of 0x1000, 1 of 0x1fff000, 2 of 0x1001. The second 0x1000 is 3 back, more than 2, so it is record 3;
      // 0x1001 folds into 2, the write of 0x1000 into 3; 0x1fff000 is 3 back, so it is record 4.
      [
        'folded over two records',
        ['--fold', '2'],
        3,
        [
          [0, R],
          [2, W],
          [1, W],
          [0, W],
          [2, R],
        ],
      ],
      [
        'folded over three',
        ['--fold', '3'],
        3,
        [
          [0, W],
          [2, W],
          [1, W],
        ],
      ],
      [
        'a window',
        ['--skip', '2', '--limit', '3'],
        2,
        [
          [1, W],
          [0, R],
          [1, R],
        ],
      ],
      [
        'a window to the end',
        ['--skip', '5'],
        2,
        [
          [0, W],
          [1, R],
        ],
      ],
    ];
  for (const [name, options, pageCount, records] of cases) {
    const { status, stderr, bytes } = convert(dir, LOG, ...options);
    t.equal(status, 0, `${name}: ${stderr}`);
    const parsed = parseTrace(bytes);
    t.equal(parsed.pageCount, pageCount, `${name}: pages`);
    const found = Array.from(parsed.accesses, (word) => [word >>> 1, word & 1]);
    t.strictSame(found, records, `${name}: records`);
  }
  const { bytes, stderr } = convert(dir, LOG);
  // Deltas 0, 2, -1, -1, 1, -1, 2; zigzag 0, 4, 1, 1, 2, 1, 4; times 2 plus isWrite 0, 9, 3, 2, 4, 3, 8.
  const expected = 'postcopy-trace 1 pages=3 accesses=7 program="p 1" source="lackey" page=4096\n';
  t.equal(bytes.toString('latin1'), `${expected}\x00\x09\x03\x02\x04\x03\x08`);
  t.match(stderr, '8 accesses in the log, 7 records, 7 of them kept, 3 pages');
  t.strictSame(gunzipSync(convert(dir, LOG, '--packed').bytes), bytes, 'packed');
});

t.test('the converter on a log longer than its buffer', async (t) => {
  const dir = t.testdir();
  // 200,000 lines of different lengths, so that the buffer's end falls inside lines.
  const lines = Array.from({ length: 200_000 }, (_, index) => ` L ${(index * 4096).toString(16)},8\n`);
  const { pageCount, accesses } = parseTrace(convert(dir, lines.join('')).bytes);
  t.equal(pageCount, 200_000);
  t.equal(
    accesses.findIndex((word, index) => word !== index * 2),
    -1,
    'no line is lost or read twice',
  );
});

t.test('the converter refuses', async (t) => {
  const dir = t.testdir();
  const cases: readonly [log: string, message: RegExp, ...options: string[]][] = [
    [' L 1000,8\nhello\n', /line 2: expected a line of lackey's memory trace, found "hello"/],
    [' X 1000,8\n', /line 1: expected/],
    [' L 1000\n', /line 1: expected/],
    [' L ,8\n', /line 1: expected/],
    [' L 1000,\n', /line 1: expected/],
    [' L 1000,0\n', /line 1: expected/],
    [' L 10z0,8\n', /line 1: expected/],
    [' L 12345678901234,8\n', /line 1: expected/],
    ['\n', /line 1: expected/],
    [' L 1000,8\n L 10', /line 2: the log ends before its newline/],
    ['', /the log has 0 records, none of them in the window/],
    [' L 1000,8\n', /the log has 1 records, none of them in the window/, '--skip', '1'],
    [' L 1000,8\n', /--fold: expected a count of at least 1, found "0"/, '--fold', '0'],
    [' L 1000,8\n', /--limit: expected a count of at least 1, found "many"/, '--limit', 'many'],
  ];
  for (const [log, message, ...options] of cases) {
    const { status, stderr } = convert(dir, log, ...options);
    t.equal(status, 1, JSON.stringify(log));
    t.match(stderr, message);
  }
});
