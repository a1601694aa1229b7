// Converts the log of valgrind's lackey tool (--trace-mem=yes) on stdin to a page-access trace.
//
// usage: lackey-to-trace.mjs --program "sqlite3 3.40.1" --source "valgrind-3.19.0 lackey" --output FILE
//          [--instructions] [--fold N] [--skip N] [--limit N]
//
//   --instructions  keep instruction fetches as reads; they are dropped by default
//   --fold N        an access folds into the last record of its page when that is among the last N records
//                   (default 1: only consecutive accesses to a page become one); the record writes if any of them wrote
//   --skip N        leave out the first N records (default 0)
//   --limit N       keep a window of at most N records after those (default: all)
//   --output FILE   written packed with gzip when its name ends in .gz, else plain
//
// The log is read to its end even when the window is full, so that its totals can be told, on stderr.
import { readSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { constants, gzipSync } from 'node:zlib';
import { encodeTrace, MAX_TRACE_ACCESSES, TRACE_PAGE_BYTES } from '../dist/src/machine/trace.js';

const NEWLINE = 0x0a;
const [SPACE, COMMA, EQUALS, I, L, M, S] = Buffer.from(' ,=ILMS');

/** Ends the program with a message. */
function fail(message) {
  process.stderr.write(`lackey-to-trace: ${message}\n`);
  process.exit(1);
}

/** The value of an option that counts something. */
function count(name, text, min) {
  if (!/^[0-9]{1,15}$/.test(text) || Number(text) < min) {
    fail(`--${name}: expected a count of at least ${min}, found ${JSON.stringify(text)}`);
  }
  return Number(text);
}

/** Value of a hexadecimal digit; lackey writes lower case. -1 for any other byte. */
const HEX_DIGITS = new Int8Array(256).fill(-1);
for (const [value, byte] of Buffer.from('0123456789abcdef').entries()) HEX_DIGITS[byte] = value;

/** Collects records: folds them, keeps the window, numbers the pages in it. */
class Recorder {
  constructor({ fold, skip, limit }) {
    this.fold = fold;
    this.skip = skip;
    this.end = skip + limit;
    this.recordCount = 0; // all of the log, also outside the window
    this.lastRecords = new Map(); // page number -> its last record
    this.ids = new Map(); // page number -> order of its first record in the window
    this.accesses = new Uint32Array(1 << 20); // id * 2 + isWrite
    this.currentPage = -1; // page of the access before, so that most accesses need no look-up
    this.currentRecord = -1;
  }

  add(pageNumber, isWrite) {
    if (pageNumber !== this.currentPage) {
      const record = this.lastRecords.get(pageNumber);
      if (record === undefined || this.recordCount - record > this.fold) this.append(pageNumber);
      else this.currentRecord = record;
      this.currentPage = pageNumber;
    }
    if (isWrite && this.currentRecord >= this.skip && this.currentRecord < this.end) {
      this.accesses[this.currentRecord - this.skip] |= 1;
    }
  }

  append(pageNumber) {
    const record = this.recordCount++;
    this.currentRecord = record;
    this.lastRecords.set(pageNumber, record);
    if (record < this.skip || record >= this.end) return;
    let id = this.ids.get(pageNumber);
    if (id === undefined) {
      id = this.ids.size;
      this.ids.set(pageNumber, id);
    }
    const index = record - this.skip;
    if (index === MAX_TRACE_ACCESSES)
      fail(`the log gives more than ${MAX_TRACE_ACCESSES} records: set --limit`);
    if (index === this.accesses.length) {
      const larger = new Uint32Array(index * 2);
      larger.set(this.accesses);
      this.accesses = larger;
    }
    this.accesses[index] = id * 2;
  }

  /** The window, its pages renumbered in the order of their addresses, so that neighbours stay neighbours. */
  finish() {
    const pageNumbers = [...this.ids.keys()].sort((a, b) => a - b);
    const pages = new Uint32Array(this.ids.size);
    for (const [page, pageNumber] of pageNumbers.entries()) pages[this.ids.get(pageNumber)] = page;
    const length = Math.max(0, Math.min(this.recordCount, this.end) - this.skip);
    const accesses = this.accesses.subarray(0, length).map((word) => pages[word >>> 1] * 2 + (word & 1));
    return { pageCount: pageNumbers.length, accesses };
  }
}

/** Reads lines such as ` S 1fff000768,8`; what begins with `==` is valgrind's own. */
class LogParser {
  constructor(recorder, withInstructions) {
    this.recorder = recorder;
    this.withInstructions = withInstructions;
    this.lineNumber = 0;
    this.accessCount = 0;
  }

  /** Parses the whole lines of a buffer and returns where the unfinished one begins. */
  parseLines(bytes, end) {
    let begin = 0;
    for (;;) {
      let newline = begin;
      while (newline < end && bytes[newline] !== NEWLINE) newline++;
      if (newline >= end) return begin;
      this.lineNumber++;
      this.parseLine(bytes, begin, newline);
      begin = newline + 1;
    }
  }

  parseLine(bytes, begin, newline) {
    const [first, kind] = [bytes[begin], bytes[begin + 1]];
    if (first === EQUALS && kind === EQUALS) return;
    const isFetch = first === I && kind === SPACE;
    const isData = first === SPACE && (kind === L || kind === S || kind === M);
    if (!(isFetch || isData) || bytes[begin + 2] !== SPACE) this.refuse(bytes, begin, newline);
    if (isFetch && !this.withInstructions) return;

    let position = begin + 3;
    let address = 0; // a double: addresses have up to 48 bits
    const addressBegin = position;
    for (; bytes[position] !== COMMA; position++) {
      const digit = HEX_DIGITS[bytes[position]];
      if (digit < 0 || position - addressBegin >= 13) this.refuse(bytes, begin, newline);
      address = address * 16 + digit;
    }
    if (position++ === addressBegin) this.refuse(bytes, begin, newline);
    let lengthBytes = 0;
    const lengthBegin = position;
    for (; position < newline; position++) {
      const digit = bytes[position] - 0x30;
      if (digit < 0 || digit > 9 || lengthBytes > 0xffff) this.refuse(bytes, begin, newline);
      lengthBytes = lengthBytes * 10 + digit;
    }
    if (position === lengthBegin || lengthBytes === 0) this.refuse(bytes, begin, newline);

    this.accessCount++;
    const isWrite = kind === S || kind === M;
    const firstPage = Math.floor(address / TRACE_PAGE_BYTES);
    const lastPage = Math.floor((address + lengthBytes - 1) / TRACE_PAGE_BYTES);
    for (let page = firstPage; page <= lastPage; page++) this.recorder.add(page, isWrite);
  }

  refuse(bytes, begin, newline) {
    const line = bytes.toString('latin1', begin, Math.min(newline, begin + 60));
    fail(`line ${this.lineNumber}: expected a line of lackey's memory trace, found ${JSON.stringify(line)}`);
  }
}

/** Feeds stdin to the parser. */
function readLog(parser) {
  const bytes = Buffer.allocUnsafe(1 << 20);
  let kept = 0;
  for (;;) {
    const readBytes = readSync(0, bytes, kept, bytes.length - kept, null);
    if (readBytes === 0) break;
    const end = kept + readBytes;
    const parsed = parser.parseLines(bytes, end);
    bytes.copyWithin(0, parsed, end);
    kept = end - parsed;
    if (kept === bytes.length) fail(`line ${parser.lineNumber + 1}: longer than ${kept} bytes`);
  }
  if (kept > 0) fail(`line ${parser.lineNumber + 1}: the log ends before its newline`);
}

const { values } = parseArgs({
  options: {
    program: { type: 'string' },
    source: { type: 'string' },
    output: { type: 'string' },
    instructions: { type: 'boolean', default: false },
    fold: { type: 'string', default: '1' },
    skip: { type: 'string', default: '0' },
    limit: { type: 'string', default: String(MAX_TRACE_ACCESSES + 1) },
  },
});
for (const name of ['program', 'source', 'output']) {
  if (values[name] === undefined) fail(`--${name} is missing`);
}
const recorder = new Recorder({
  fold: count('fold', values.fold, 1),
  skip: count('skip', values.skip, 0),
  limit: count('limit', values.limit, 1),
});
const parser = new LogParser(recorder, values.instructions);
readLog(parser);
const { pageCount, accesses } = recorder.finish();
if (accesses.length === 0) fail(`the log has ${recorder.recordCount} records, none of them in the window`);
const plain = encodeTrace({ pageCount, accesses, program: values.program, source: values.source });
const isPacked = values.output.endsWith('.gz');
const packed = isPacked ? gzipSync(plain, { level: constants.Z_BEST_COMPRESSION }) : plain;
writeFileSync(values.output, packed);
process.stderr.write(
  `lackey-to-trace: ${parser.accessCount} accesses in the log, ${recorder.recordCount} records, ` +
    `${accesses.length} of them kept, ${pageCount} pages, ${packed.length} bytes\n`,
);
