// Page-access traces: the format both ways, each way to break it, and the shipped traces.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { gzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import t from 'tap';
import { GuestError, OptionError } from '../../src/errors.ts';
import {
  encodeTrace,
  type GuestTrace,
  MAX_TRACE_ACCESSES,
  MAX_TRACE_PAGES,
  parseTrace,
  readTrace,
} from '../../src/machine/trace.ts';

// From dist/test/machine.
const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const SEED = 20181;

const HEADER = 'postcopy-trace 1 pages=300 accesses=5 program="ls 9.1" source="by hand" page=4096\n';
// Read 0, write 0, read 2, write 1, read 299: deltas 0, 0, 2, -1, 298; zigzag 0, 0, 4, 1, 596;
// times 2 plus isWrite 0, 1, 8, 3, 1192 = 0x4a8 = 9 * 128 + 0x28.
const RECORDS = [0x00, 0x01, 0x08, 0x03, 0xa8, 0x09];
const ACCESSES = [0, 1, 4, 3, 598];

/** A trace of a header and the bytes of its records. */
function trace(header: string, records: readonly number[]): Uint8Array {
  return Buffer.concat([Buffer.from(header, 'latin1'), Uint8Array.from(records)]);
}

/** The error that a call ends with, which must be a `bad-trace`. */
function badTraceOf(call: () => unknown): GuestError {
  try {
    call();
  } catch (error) {
    if (error instanceof GuestError && error.code === 'bad-trace') return error;
    throw error;
  }
  throw new Error('expected a bad-trace, found a good one');
}

t.test('a trace written by hand', async (t) => {
  const bytes = trace(HEADER, RECORDS);
  const expected = {
    pageCount: 300,
    accesses: Uint32Array.from(ACCESSES),
    program: 'ls 9.1',
    source: 'by hand',
  };
  t.strictSame(parseTrace(bytes), expected);
  t.strictSame(parseTrace(gzipSync(bytes)), expected, 'packed');
  const halves = [bytes.subarray(0, 50), bytes.subarray(50)].map((half) => gzipSync(half));
  t.strictSame(parseTrace(Buffer.concat(halves)), expected, 'packed in two gzip members');
  t.equal(Buffer.compare(encodeTrace(expected), bytes), 0, 'encoded to the same bytes');
});

t.test('a trace without a source is encoded as unknown', async (t) => {
  const { source: _, ...anonymous } = parseTrace(trace(HEADER, RECORDS));
  t.equal(parseTrace(encodeTrace(anonymous)).source, 'unknown');
});

t.test('round trip', async () => {
  const label = fc.stringMatching(/^[ !#-[\]-~]{1,200}$/);
  const traces = fc
    .oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: MAX_TRACE_PAGES }))
    .chain((pageCount) => {
      const word = fc.integer({ min: 0, max: pageCount * 2 - 1 });
      const words = fc.array(word, { minLength: 1, maxLength: 60 });
      return fc.record({
        pageCount: fc.constant(pageCount),
        accesses: words.map((list) => Uint32Array.from(list)),
        program: label,
        source: label,
      });
    });
  void fc.assert(
    fc.property(traces, fc.boolean(), (before, isPacked) => {
      const plain = encodeTrace(before);
      const after = parseTrace(isPacked ? gzipSync(plain) : plain);
      if (!isDeepStrictEqual(after, { ...before })) throw new Error('the trace changed on its way');
    }),
    { seed: SEED, numRuns: 300 },
  );
});

t.test('the largest deltas fit', async (t) => {
  const last = MAX_TRACE_PAGES - 1;
  const accesses = Uint32Array.of(last * 2 + 1, 0, last * 2, 1);
  t.strictSame(
    parseTrace(encodeTrace({ pageCount: MAX_TRACE_PAGES, accesses, program: 'p' })).accesses,
    accesses,
  );
});

t.test('cut at every byte', async (t) => {
  const bytes = trace(HEADER, RECORDS);
  for (let cut = 0; cut < bytes.length; cut++) {
    const { offset, message } = badTraceOf(() => parseTrace(bytes.subarray(0, cut)));
    t.ok(offset !== undefined && offset <= cut, `cut at ${cut}: ${message}`);
  }
  const packed = gzipSync(bytes);
  for (let cut = 0; cut < packed.length; cut++) badTraceOf(() => parseTrace(packed.subarray(0, cut)));
});

t.test('every other value of every byte is refused or gives a trace within its own header', async () => {
  const good = trace(HEADER, RECORDS);
  for (let offset = 0; offset < good.length; offset++) {
    for (let byte = 0; byte < 256; byte++) {
      const bytes = Uint8Array.from(good);
      bytes[offset] = byte;
      let parsed: GuestTrace;
      try {
        parsed = parseTrace(bytes);
      } catch (error) {
        if (error instanceof GuestError && error.code === 'bad-trace') continue;
        throw error;
      }
      // What is accepted has one way to be written: this very one.
      if (Buffer.compare(encodeTrace(parsed), bytes) !== 0) {
        throw new Error(`byte ${byte} at offset ${offset} is accepted and not kept`);
      }
    }
  }
});

t.test('malformed headers', async (t) => {
  const cases: readonly [name: string, from: string, to: string, at: string][] = [
    ['another magic', 'postcopy-trace', 'postcopy-track', ''],
    ['another version', 'trace 1', 'trace 2', '2 pages'],
    ['two spaces', ' accesses', '  accesses', '  accesses'],
    ['a tab', ' accesses', '\taccesses', '\taccesses'],
    ['fields in another order', 'pages=300 accesses=5', 'accesses=5 pages=300', ' accesses'],
    ['no pages', ' pages=300', '', ' accesses'],
    ['no page', 'pages=300', 'pages=0', '0 accesses'],
    ['a leading zero', 'pages=300', 'pages=0300', '0300'],
    ['a negative count', 'pages=300', 'pages=-300', '-300'],
    ['a fraction', 'pages=300', 'pages=300.5', '.5'],
    ['hexadecimal', 'pages=300', 'pages=0x12c', '0x12c'],
    ['an empty count', 'pages=300', 'pages=', ' accesses'],
    ['too many pages', 'pages=300', `pages=${MAX_TRACE_PAGES + 1}`, `${MAX_TRACE_PAGES + 1}`],
    ['no access', 'accesses=5', 'accesses=0', '0 program'],
    ['too many accesses', 'accesses=5', `accesses=${MAX_TRACE_ACCESSES + 1}`, `${MAX_TRACE_ACCESSES + 1}`],
    ['a count beyond 2^53', 'accesses=5', 'accesses=99999999999999999999', '9999'],
    ['a program without quotes', '"ls 9.1"', 'ls', ' program'],
    ['an empty program', '"ls 9.1"', '""', '"" source'.slice(1)],
    ['an open quote', '"by hand" page=4096', '"by hand page=4096', 'by hand'],
    ['a control character', 'by hand', 'by\x00hand', 'by\x00'],
    ['a byte that is not ASCII', 'by hand', 'by h\xe4nd', 'by h\xe4'],
    ['a backslash', 'by hand', 'by\\hand', 'by\\'],
    ['a label too long', 'by hand', 'x'.repeat(201), 'xxx'],
    ['another page size', 'page=4096', 'page=65536', ' page=65536'],
    ['carriage return', '4096\n', '4096\r\n', ' page=4096'],
    ['a field more', '4096\n', '4096 x=1\n', ' page=4096'],
    ['no newline', '4096\n', '4096', ' page=4096'],
  ];
  for (const [name, from, to, at] of cases) {
    const header = HEADER.replace(from, to);
    if (header === HEADER) throw new Error(`${name}: the case changes nothing`);
    const { offset, message } = badTraceOf(() => parseTrace(trace(header, RECORDS)));
    t.equal(offset, header.indexOf(at), `${name}: ${message}`);
  }
  const endless = trace(HEADER.replace('by hand', 'x'.repeat(100_000)), RECORDS);
  t.match(badTraceOf(() => parseTrace(endless)).message, /expected 1 to 200 printable/);
});

t.test('malformed records', async (t) => {
  const start = HEADER.length;
  const cases: readonly [name: string, records: readonly number[], offset: number, message: RegExp][] = [
    ['a byte left over', [...RECORDS, 0x00], 6, /expected the end after 5 records.*found 1 bytes more/],
    ['a record missing', RECORDS.slice(0, 4), 4, /expected 5 records.*found the end/],
    ['a record cut', RECORDS.slice(0, 5), 5, /expected record 4 of 5.*found the end/],
    ['a page too high', [0, 0, 0, 0, 0xb0, 0x09], 4, /expected a page from 0 to 299.*found page 300/],
    ['a page below 0', [0, 0x02, 0, 0, 0], 1, /expected a page.*found page -1/],
    ['a long form', [0, 0, 0x81, 0x00, 0, 0], 2, /expected the shortest form/],
    [
      'a record of five bytes',
      [0, 0x80, 0x80, 0x80, 0x80, 0x01, 0, 0, 0],
      1,
      /expected a record of at most 4 bytes/,
    ],
  ];
  for (const [name, records, offset, message] of cases) {
    const error = badTraceOf(() => parseTrace(trace(HEADER, records)));
    t.match(error.message, message, name);
    t.equal(error.offset, start + offset, `${name}: offset`);
  }
});

t.test('a count is not trusted before the bytes are there', async (t) => {
  const header = HEADER.replace('accesses=5', `accesses=${MAX_TRACE_ACCESSES}`);
  const before = process.memoryUsage().arrayBuffers;
  const { message } = badTraceOf(() => parseTrace(trace(header, RECORDS)));
  t.match(message, /expected 67108864 records .* found the end/);
  t.ok(process.memoryUsage().arrayBuffers - before < 16 * 1024 * 1024, 'nothing was allocated for it');
});

t.test('damaged gzip', async (t) => {
  const packed = gzipSync(trace(HEADER, RECORDS));
  const padded = badTraceOf(() => parseTrace(Buffer.concat([packed, Buffer.alloc(4)])));
  t.match(padded.message, /expected the end of the gzip file.*found 4 bytes more/);
  t.equal(padded.offset, packed.length);
  const tail = badTraceOf(() => parseTrace(Buffer.concat([packed, Buffer.from('tail')])));
  t.match(tail.message, /expected a whole gzip file.*incorrect header check/);
  const damaged = Uint8Array.from(packed);
  damaged[damaged.length - 8]! ^= 1; // the checksum
  t.match(badTraceOf(() => parseTrace(damaged)).message, /expected a whole gzip file.*incorrect data check/);
});

t.test('a gzip that unpacks to more than the largest trace is given up', async (t) => {
  // 1 MiB of zeros packed, as many members as it takes to pass 256 MiB and a header.
  const member = gzipSync(Buffer.alloc(1024 * 1024));
  const bomb = Buffer.concat(Array.from({ length: 258 }, () => member));
  t.match(badTraceOf(() => parseTrace(bomb)).message, /of at most 268436480 bytes unpacked/);
});

t.test('a trace that cannot be encoded', async (t) => {
  const good: GuestTrace = { pageCount: 2, accesses: Uint32Array.of(0, 3), program: 'p' };
  const cases: readonly [change: Partial<GuestTrace>, message: RegExp][] = [
    [{ pageCount: 0 }, /expected 1 to 16777216 pages.*found 0/],
    [{ pageCount: MAX_TRACE_PAGES + 1 }, /expected 1 to 16777216 pages.*found 16777217/],
    [{ pageCount: 1.5 }, /expected 1 to 16777216 pages.*found 1.5/],
    [{ pageCount: 1 }, /expected a page below 1 .*at offset 1, found page 1/],
    [{ accesses: new Uint32Array() }, /expected 1 to 67108864 accesses.*found 0/],
    [{ program: 'a "b"' }, /printable ASCII/],
    [{ source: '' }, /printable ASCII/],
  ];
  for (const [change, message] of cases) {
    t.match(badTraceOf(() => encodeTrace({ ...good, ...change })).message, message);
  }
});

t.test('reading files', async (t) => {
  const dir = t.testdir({ 'good.trace': Buffer.from(trace(HEADER, RECORDS)), 'bad.trace': 'postcopy-track' });
  t.strictSame([...readTrace(join(dir, 'good.trace')).accesses], ACCESSES);
  const bad = badTraceOf(() => readTrace(join(dir, 'bad.trace')));
  t.ok(bad.message.startsWith(`${join(dir, 'bad.trace')}: trace: expected "postcopy-trace "`), bad.message);
  t.equal(bad.offset, 0);
  const cases = { 'absent.trace': /ENOENT/, '.': /regular file/, '/dev/zero': /regular file/ };
  for (const [name, message] of Object.entries(cases)) {
    const path = name.startsWith('/') ? name : join(dir, name);
    const error = t.throws(() => readTrace(path), { code: 'cannot-read-trace', message }) as unknown;
    t.ok(error instanceof OptionError, name);
  }
});

t.test('the shipped traces', async (t) => {
  const shipped = {
    sqlite3: { program: /^sqlite3 3\./, minPages: 500 },
    sort: { program: /^sort 9\./, minPages: 100 },
  };
  for (const [name, { program, minPages }] of Object.entries(shipped)) {
    const path = join(ROOT, 'examples/traces', `${name}.trace.gz`);
    const { pageCount, accesses, ...labels } = readTrace(path);
    t.match(labels.program, program);
    t.match(labels.source, /^valgrind-3\.\d+\.\d+ lackey/);
    t.ok(accesses.length >= 100_000 && accesses.length <= 1_000_000, `${name}: ${accesses.length} accesses`);
    t.ok(readFileSync(path).length <= 1_500_000, `${name}: at most 1.5 MB`);
    const pages = new Set(accesses.map((word) => word >>> 1));
    t.equal(pages.size, pageCount, `${name}: each page is accessed`);
    t.ok(pageCount >= minPages && pageCount <= 10_000, `${name}: ${pageCount} pages`);
    const writeCount = accesses.reduce((sum, word) => sum + (word & 1), 0);
    const writeShare = writeCount / accesses.length;
    t.ok(writeShare > 0.05 && writeShare < 0.95, `${name}: ${writeCount} writes`);
    const repeated = accesses.findIndex(
      (word, index) => index > 0 && word >>> 1 === accesses[index - 1]! >>> 1,
    );
    t.equal(repeated, -1, `${name}: consecutive accesses to a page are one`);
  }
});
