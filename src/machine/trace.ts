// Page-access traces of real programs: the file format, both ways.
//
// The format is specified in examples/traces/README.md. Offsets in errors count in the unpacked trace.

import { readFileSync, statSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { GuestError, OptionError } from '../errors.ts';

/** The page accesses of a program, in order, its pages numbered densely from 0. */
export interface GuestTrace {
  /** Pages that the program has; every access is to a page below it. */
  readonly pageCount: number;
  /** One word for each access: page * 2, plus 1 when the access writes. */
  readonly accesses: Uint32Array;
  /** The traced program and its version, such as `sqlite3 3.40.1`. */
  readonly program: string;
  /** What recorded the trace, and how; `unknown` when left out. */
  readonly source?: string;
}

/** Bytes in a page of a trace: the target page of the wire. */
export const TRACE_PAGE_BYTES = 4096;
/** Most accesses in a trace: 64 Mi, so that they fill at most 256 MiB of memory. */
export const MAX_TRACE_ACCESSES = 64 * 1024 * 1024;
/** Most pages in a trace: 16 Mi, or 64 GiB of guest memory. Two bits more, and a record would not fit in 28 bits. */
export const MAX_TRACE_PAGES = 16 * 1024 * 1024;

const MAX_HEADER_BYTES = 1024;
const MAX_LABEL_BYTES = 200;
const MAX_RECORD_BYTES = 4;
const MAX_TRACE_BYTES = MAX_HEADER_BYTES + MAX_TRACE_ACCESSES * MAX_RECORD_BYTES;

/** Printable ASCII without the quote that ends a label and without the backslash, which would suggest escapes. */
const LABEL = new RegExp(`^[ !#-[\\]-~]{1,${MAX_LABEL_BYTES}}$`);

/** What is wrong at one place of a trace. */
function badTrace(offset: number, expected: string, found: string, cause?: unknown): GuestError {
  const message = `trace: expected ${expected} at offset ${offset}, found ${found}`;
  return new GuestError('bad-trace', message, { offset, cause });
}

/**
 * Reads a trace, plain or packed with gzip.
 * @throws GuestError `bad-trace` with the offset of the first byte that breaks the format
 */
export function parseTrace(bytes: Uint8Array): GuestTrace {
  const plain = unpack(bytes);
  const header = parseHeader(plain);
  const accesses = parseRecords(plain, header);
  return { pageCount: header.pageCount, accesses, program: header.program, source: header.source };
}

/**
 * Reads the trace in a file.
 * @throws OptionError `cannot-read-trace` when there is no such regular file, or it may not be read, or no trace can be as large
 * @throws GuestError `bad-trace` as `parseTrace`, with the path in its message
 */
export function readTrace(path: string): GuestTrace {
  const bytes = readTraceFile(path);
  try {
    return parseTrace(bytes);
  } catch (error) {
    if (!(error instanceof GuestError) || error.offset === undefined) throw error;
    throw new GuestError(error.code, `${path}: ${error.message}`, { offset: error.offset, cause: error });
  }
}

/**
 * Writes a trace in its plain form; `parseTrace` gives the same trace back.
 * @throws GuestError `bad-trace` when the trace breaks a limit of the format; the offset is the index of the access, or 0
 */
export function encodeTrace(trace: GuestTrace): Uint8Array {
  const { pageCount, accesses, program, source = 'unknown' } = trace;
  checkEncodable('pages', pageCount, MAX_TRACE_PAGES);
  checkEncodable('accesses', accesses.length, MAX_TRACE_ACCESSES);
  for (const label of [program, source]) {
    if (!LABEL.test(label)) throw badTrace(0, LABEL_RULE, JSON.stringify(label));
  }
  const header = `postcopy-trace 1 pages=${pageCount} accesses=${accesses.length} program="${program}" source="${source}" page=${TRACE_PAGE_BYTES}\n`;
  const bytes = Buffer.alloc(header.length + accesses.length * MAX_RECORD_BYTES);
  let end = bytes.write(header, 'latin1');
  let previousPage = 0;
  for (const [index, access] of accesses.entries()) {
    const page = access >>> 1;
    if (page >= pageCount) throw badTrace(index, `a page below ${pageCount} in the accesses`, `page ${page}`);
    const delta = page - previousPage;
    const zigzag = delta < 0 ? -2 * delta - 1 : 2 * delta;
    end = writeLeb128(bytes, end, zigzag * 2 + (access & 1));
    previousPage = page;
  }
  return bytes.subarray(0, end);
}

const LABEL_RULE = `1 to ${MAX_LABEL_BYTES} printable ASCII characters without " and \\`;

function checkEncodable(name: string, count: number, max: number): void {
  if (!Number.isInteger(count) || count < 1 || count > max) {
    throw badTrace(0, `1 to ${max} ${name}`, String(count));
  }
}

/** Writes a value below 2^28 and returns where it ends. */
function writeLeb128(bytes: Uint8Array, start: number, value: number): number {
  let end = start;
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) bytes[end++] = (rest & 0x7f) | 0x80;
  bytes[end++] = rest;
  return end;
}

function readTraceFile(path: string): Uint8Array {
  const refuse = (why: string, cause?: unknown) =>
    new OptionError('cannot-read-trace', `cannot read the trace ${path}: ${why}`, { cause });
  try {
    // Ask before opening: opening a named pipe would wait, and a device may never end.
    const stat = statSync(path);
    if (!stat.isFile()) throw refuse('expected a regular file');
    if (stat.size > MAX_TRACE_BYTES) {
      throw refuse(`expected at most ${MAX_TRACE_BYTES} bytes, found ${stat.size}`);
    }
    return readFileSync(path);
  } catch (error) {
    if (error instanceof OptionError) throw error;
    throw refuse(error instanceof Error ? error.message : String(error), error);
  }
}

/** Unpacks what begins with the magic of gzip and returns anything else as it is. */
function unpack(bytes: Uint8Array): Uint8Array {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  let unpacked: { buffer: Uint8Array; engine: { bytesWritten: number } };
  try {
    // With `info` the result is this pair, which the type declarations do not know.
    const options = { info: true, maxOutputLength: MAX_TRACE_BYTES };
    unpacked = gunzipSync(bytes, options) as unknown as typeof unpacked;
  } catch (error) {
    const found = error instanceof Error ? error.message : String(error);
    throw badTrace(0, `a whole gzip file of at most ${MAX_TRACE_BYTES} bytes unpacked`, found, error);
  }
  // zlib refuses other bytes after the last gzip member itself, but stops without a word at a zero.
  const usedBytes = unpacked.engine.bytesWritten;
  if (usedBytes !== bytes.length) {
    throw badTrace(usedBytes, 'the end of the gzip file', `${bytes.length - usedBytes} bytes more`);
  }
  return unpacked.buffer;
}

interface TraceHeader {
  readonly pageCount: number;
  readonly accessCount: number;
  readonly program: string;
  readonly source: string;
  /** Length of the line with its newline. */
  readonly lengthBytes: number;
}

function parseHeader(bytes: Uint8Array): TraceHeader {
  const start = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, MAX_HEADER_BYTES));
  const text = start.toString('latin1');
  let offset = 0;

  function take(pattern: RegExp, expected: string): string {
    pattern.lastIndex = offset;
    const match = pattern.exec(text);
    if (match === null) throw badTrace(offset, expected, describeText(text, offset));
    offset += match[0].length;
    return match[1] ?? match[0];
  }
  function takeLiteral(literal: string): void {
    if (!text.startsWith(literal, offset)) {
      throw badTrace(offset, JSON.stringify(literal), describeText(text, offset));
    }
    offset += literal.length;
  }
  function takeCount(name: string, max: number): number {
    takeLiteral(` ${name}=`);
    const begin = offset;
    const digits = take(/[1-9][0-9]*/y, `a decimal count of ${name} without leading zeros`);
    const count = Number(digits);
    if (count > max) throw badTrace(begin, `at most ${max} ${name}`, digits);
    return count;
  }
  function takeLabel(name: string): string {
    takeLiteral(` ${name}="`);
    const begin = offset;
    const label = take(/([^"\n]*)"/y, `${LABEL_RULE}, and a "`);
    if (!LABEL.test(label)) throw badTrace(begin, LABEL_RULE, describeText(text, begin));
    return label;
  }

  takeLiteral('postcopy-trace ');
  takeLiteral('1');
  const pageCount = takeCount('pages', MAX_TRACE_PAGES);
  const accessCount = takeCount('accesses', MAX_TRACE_ACCESSES);
  const program = takeLabel('program');
  const source = takeLabel('source');
  takeLiteral(` page=${TRACE_PAGE_BYTES}\n`);
  return { pageCount, accessCount, program, source, lengthBytes: offset };
}

/** What stands at an offset of the header, short enough for a message. */
function describeText(text: string, offset: number): string {
  return offset >= text.length ? 'the end' : JSON.stringify(text.slice(offset, offset + 24));
}

function parseRecords(bytes: Uint8Array, header: TraceHeader): Uint32Array {
  const { pageCount, accessCount } = header;
  let offset = header.lengthBytes;
  // Each record has a byte at least: a count that passes this test is safe to allocate for.
  if (accessCount > bytes.length - offset) {
    throw badTrace(bytes.length, `${accessCount} records from offset ${offset}`, 'the end');
  }
  const accesses = new Uint32Array(accessCount);
  let page = 0;
  for (let index = 0; index < accessCount; index++) {
    const begin = offset;
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[offset];
      if (byte === undefined) throw badTrace(offset, `record ${index} of ${accessCount}`, 'the end');
      if (byte === 0 && shift > 0)
        throw badTrace(begin, 'the shortest form of a LEB128 number', 'a last byte of 0');
      offset++;
      value += (byte & 0x7f) << shift;
      if (byte < 0x80) break;
      if (shift === 7 * (MAX_RECORD_BYTES - 1)) {
        throw badTrace(begin, `a record of at most ${MAX_RECORD_BYTES} bytes`, 'a longer one');
      }
    }
    const zigzag = value >>> 1;
    page += zigzag & 1 ? -(zigzag + 1) / 2 : zigzag / 2;
    if (page < 0 || page >= pageCount) {
      throw badTrace(begin, `a page from 0 to ${pageCount - 1} in record ${index}`, `page ${page}`);
    }
    accesses[index] = page * 2 + (value & 1);
  }
  if (offset !== bytes.length) {
    throw badTrace(offset, `the end after ${accessCount} records`, `${bytes.length - offset} bytes more`);
  }
  return accesses;
}
