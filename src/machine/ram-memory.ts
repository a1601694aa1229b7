// The bytes of a RAM block, in shared segments of 1 GiB.

import { createHash } from 'node:crypto';
import { MemoryMapError } from '../errors.ts';

/** Size of a target page, the unit of the wire and of guest accesses. */
export const TARGET_PAGE_BYTES = 4096;

/**
 * How many whole pages there are in so many bytes. Not just `/`: what that gives is a double to V8, however whole, and the
 * code of a hot path that was compiled for small integers is thrown away when one comes.
 */
export function pagesIn(lengthBytes: number, pageBytes = TARGET_PAGE_BYTES): number {
  return Math.floor(lengthBytes / pageBytes);
}
/** log2 of the target pages in one segment. */
export const SEGMENT_PAGES_LOG2 = 18;
/** 32-bit words in a target page. */
export const TARGET_PAGE_WORDS = TARGET_PAGE_BYTES / 4;
/**
 * Size of a segment. A typed array views at most 4 GiB on Node 20 and a block may be larger, so memory is an array of
 * segments; a power of two, so that a page never crosses from one to the next.
 */
export const SEGMENT_BYTES = 2 ** SEGMENT_PAGES_LOG2 * TARGET_PAGE_BYTES;

const SEGMENT_PAGE_MASK = 2 ** SEGMENT_PAGES_LOG2 - 1;
/** `Uint8Array.fill` on shared memory writes byte by byte (3 GB/s); copying a page of zeros reaches 20. */
const ZERO_PAGE = new Uint8Array(TARGET_PAGE_BYTES);
const HASH_STEP_BYTES = 16 * 2 ** 20;
/**
 * V8 copies from and to shared memory word by word if both ends are equally aligned, and else byte by byte, which takes
 * three times as long. Page bodies stand at any offset of what a socket gave, so those pass through a page that is not
 * shared: there a copy is a memmove. Per thread, as modules are.
 */
const WORD_BYTES = 8;
const STEPPING_STONE = Buffer.allocUnsafeSlow(TARGET_PAGE_BYTES + WORD_BYTES);
const copyBytes = Buffer.prototype.copy;

/**
 * Allocates the segments of `lengthBytes` of zeroed memory. The kernel commits a page of it when it is first written.
 * Throws MemoryMapError `cannot-allocate`.
 */
export function allocateSegments(name: string, lengthBytes: number): SharedArrayBuffer[] {
  const segments: SharedArrayBuffer[] = [];
  try {
    for (let at = 0; at < lengthBytes; at += SEGMENT_BYTES) {
      segments.push(new SharedArrayBuffer(Math.min(SEGMENT_BYTES, lengthBytes - at)));
    }
  } catch (cause) {
    const message = `RAM block '${name}': this machine cannot allocate ${lengthBytes} bytes`;
    throw new MemoryMapError('cannot-allocate', message, { cause });
  }
  return segments;
}

/** The bytes of one RAM block. Knows nothing of page states: who may touch what, and when, is up to the caller. */
export class RamMemory {
  readonly name: string;
  readonly lengthBytes: number;
  readonly targetPageCount: number;
  // One view of each kind per segment, made once: a view per page would be an allocation per page.
  readonly #bytes: readonly Buffer[];
  readonly #words: readonly Uint32Array[];
  readonly #signedWords: readonly Int32Array[];

  constructor(name: string, segments: readonly SharedArrayBuffer[], lengthBytes: number) {
    this.name = name;
    this.lengthBytes = lengthBytes;
    this.targetPageCount = pagesIn(lengthBytes);
    this.#bytes = segments.map((segment) => Buffer.from(segment));
    this.#words = segments.map((segment) => new Uint32Array(segment));
    this.#signedWords = segments.map((segment) => new Int32Array(segment));
  }

  /**
   * Copies bytes start..end of `chunk` to `offsetBytes`. They must lie within one target page.
   * Throws MemoryMapError `out-of-range`.
   */
  copyIn(offsetBytes: number, chunk: Uint8Array, start: number, end: number): void {
    const lengthBytes = end - start;
    const pageOffset = offsetBytes % TARGET_PAGE_BYTES;
    // Buffer.copy would cut what does not fit and say nothing.
    if (
      !(offsetBytes >= 0 && offsetBytes + lengthBytes <= this.lengthBytes) ||
      !(start >= 0 && lengthBytes >= 0 && end <= chunk.length) ||
      pageOffset + lengthBytes > TARGET_PAGE_BYTES
    ) {
      throw new MemoryMapError(
        'out-of-range',
        `RAM block '${this.name}': cannot copy bytes ${start}..${end} of ${chunk.length} to offset ${offsetBytes}: ` +
          `expected a place within one target page of a block of ${this.lengthBytes} bytes`,
      );
    }
    if (lengthBytes === 0) return;
    const segment = Math.floor(offsetBytes / SEGMENT_BYTES);
    const to = offsetBytes - segment * SEGMENT_BYTES;
    if (isEquallyAligned(chunk.byteOffset + start, to)) {
      copyBytes.call(chunk, this.#bytes[segment]!, to, start, end);
      return;
    }
    const at = to % WORD_BYTES;
    copyBytes.call(chunk, STEPPING_STONE, at, start, end);
    STEPPING_STONE.copy(this.#bytes[segment]!, to, at, at + lengthBytes);
  }

  /**
   * Has the kernel commit all of a block that nobody has used yet, by writing a zero to each of its pages; else it does
   * so at the first write to each, which costs more than copying a page.
   */
  commit(): void {
    for (const words of this.#signedWords) {
      for (let at = 0; at < words.length; at += TARGET_PAGE_WORDS) words[at] = 0;
      words[words.length - 1] = 0;
    }
  }

  /** Overwrites target page `index` with zeros. */
  zeroTargetPage(index: number): void {
    this.#segmentOf(index).set(ZERO_PAGE, this.#offsetInSegment(index));
  }

  /** A view of target page `index`: shared, so what it shows may change. */
  targetPageBytes(index: number): Uint8Array {
    const segment = this.#segmentOf(index);
    return new Uint8Array(
      segment.buffer,
      segment.byteOffset + this.#offsetInSegment(index),
      TARGET_PAGE_BYTES,
    );
  }

  /** Tells whether target page `index` holds zeros only. Does not commit memory. */
  isZeroPage(index: number): boolean {
    const words = this.#signedWords[index >>> SEGMENT_PAGES_LOG2]!;
    const from = (index & SEGMENT_PAGE_MASK) * TARGET_PAGE_WORDS;
    const end = from + TARGET_PAGE_WORDS;
    // Most pages that are not zero show it at once.
    if ((words[from]! | words[from + TARGET_PAGE_WORDS / 2]! | words[end - 1]!) !== 0) return false;
    // memcmp: on the pages that get this far twice as fast as a loop over words.
    const at = this.#offsetInSegment(index);
    return this.#segmentOf(index).compare(ZERO_PAGE, 0, TARGET_PAGE_BYTES, at, at + TARGET_PAGE_BYTES) === 0;
  }

  /** The 32-bit words of segment `segment`, in the machine's byte order. */
  words(segment: number): Uint32Array {
    return this.#words[segment]!;
  }

  /** The bytes of segment `segment`. */
  bytes(segment: number): Buffer {
    return this.#bytes[segment]!;
  }

  /** Number of segments. */
  get segmentCount(): number {
    return this.#bytes.length;
  }

  /** SHA-256 of the whole block, in hex. Meaningful only while nobody writes. */
  hashSha256(): string {
    const hash = createHash('sha256');
    for (const segment of this.#bytes) {
      for (let at = 0; at < segment.length; at += HASH_STEP_BYTES) {
        hash.update(segment.subarray(at, at + HASH_STEP_BYTES));
      }
    }
    return hash.digest('hex');
  }

  #segmentOf(index: number): Buffer {
    if (!(index >= 0 && index < this.targetPageCount)) {
      throw new MemoryMapError(
        'out-of-range',
        `RAM block '${this.name}' has ${this.targetPageCount} target pages, no page ${index}`,
      );
    }
    return this.#bytes[index >>> SEGMENT_PAGES_LOG2]!;
  }

  #offsetInSegment(index: number): number {
    return (index & SEGMENT_PAGE_MASK) * TARGET_PAGE_BYTES;
  }
}

/** Segments begin at a multiple of the word, so that an offset in one tells its alignment. */
function isEquallyAligned(address: number, offset: number): boolean {
  return (address - offset) % WORD_BYTES === 0;
}
