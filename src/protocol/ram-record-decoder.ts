// Decodes the payload of a `ram` section, and all of a preempt channel, as a push parser.
import { LimitError, ProtocolError } from '../errors.ts';
import { hex, readBe64 } from './bytes.ts';
import { Carry } from './carry.ts';
import {
  RAM_FLAG,
  RAM_LIST_ENTRY,
  RAM_LIST_PAGE_SIZE,
  type RamListEntry,
  refuseFlags,
  TARGET_PAGE_BYTES,
} from './ram-records.ts';

const TWO_32 = 0x1_0000_0000;
const FLAG_MASK = TARGET_PAGE_BYTES - 1;
/** Low half of the word of the record that makes up nearly all of a migration: PAGE | CONTINUE. */
const NEXT_PAGE = RAM_FLAG.PAGE | RAM_FLAG.CONTINUE;
const WORD_BYTES = 8;
/** A RAM list with more blocks is refused; QEMU's largest machines have a few dozen. */
export const RAM_BLOCK_LIMIT = 4096;

/** Whether a RAM list's entry carries a page size; `guess` looks at the next eight bytes (rule D64). */
export type PageSizeField = 'present' | 'absent' | 'guess';

/** Takes what a `ram` payload holds. Every method may throw to refuse it. */
export interface RamSink {
  /** The following pages belong to the block of this name. */
  selectBlock(name: string): void;
  /** A PAGE record: its 4096 bytes follow in one or more calls of `pageBytes`. */
  page(offset: number): void;
  /** Bytes `input[start..end)` of the page begun last, which go to `at` in it. A view: copy, do not keep. */
  pageBytes(input: Uint8Array, start: number, end: number, at: number): void;
  /** A ZERO record: the page is filled with the byte `fill`. */
  zeroPage(offset: number, fill: number): void;
  /** The RAM list, complete and with entries that add up to its total. */
  ramList(blocks: readonly RamListEntry[], totalBytes: number): void;
  /** The end of the payload. */
  endOfPayload(): void;
  /** Asked for each entry of the RAM list before it can be read on. */
  pageSizeField(block: string): { field: PageSizeField; summary: number };
}

/** State of the decoder between two records, or inside one. */
type Mode = 'word' | 'page-body' | 'list';

/** Push parser of page records. */
export class RamRecordDecoder {
  /** Offset in the stream at which the record that is being decoded begins. */
  recordOffset = 0;
  /** Whether EOS was the last record. */
  ended = false;
  readonly #sink: RamSink;
  readonly #carry = new Carry();
  #mode: Mode = 'word';
  #wanted = WORD_BYTES;
  #bodyLeft = 0;
  #hasBlock = false;
  #listTotal = 0;
  #listLeft = 0;
  #list: RamListEntry[] = [];

  constructor(sink: RamSink) {
    this.#sink = sink;
  }

  /** Whether a record has begun and not ended. */
  get isInsideRecord(): boolean {
    return this.#carry.length > 0 || this.#mode !== 'word';
  }

  /** Bytes that are still to come of the page whose body has begun. */
  get missingPageBytes(): number {
    return this.#bodyLeft;
  }

  /**
   * Decodes `input[start..end)`, whose first byte has the offset `streamOffset`, up to EOS. Returns where it
   * stopped: `end`, or just behind EOS.
   */
  consume(input: Uint8Array, start: number, end: number, streamOffset: number): number {
    this.ended &&= start === end;
    let at = start;
    while ((at < end || this.#carry.length >= this.#wanted) && !this.ended) {
      if (this.#mode === 'page-body') {
        at = this.#body(input, at, end);
      } else if (this.#carry.length > 0) {
        if (this.#mode === 'word') this.recordOffset = streamOffset + at - start - this.#carry.length;
        at += this.#carry.topUp(input, at, end, this.#wanted);
        if (this.#carry.length < this.#wanted) break;
        this.#carry.drop(this.#record(this.#carry.bytes, 0, this.#carry.length));
      } else {
        if (this.#mode === 'word') at = this.#wholePages(input, at, end, streamOffset - start);
        if (at === end) break;
        if (this.#mode === 'word') this.recordOffset = streamOffset + at - start;
        const used = end - at >= this.#wanted ? this.#record(input, at, end) : 0;
        at += used;
        if (used === 0) at += this.#carry.topUp(input, at, end, this.#wanted);
      }
    }
    return at;
  }

  /** The hot path: runs of PAGE | CONTINUE records that stand whole in the input. */
  #wholePages(input: Uint8Array, start: number, end: number, base: number): number {
    const sink = this.#sink;
    const last = end - WORD_BYTES - TARGET_PAGE_BYTES;
    let at = start;
    if (!this.#hasBlock) return at;
    while (at <= last && input[at + 7] === NEXT_PAGE && (input[at + 6]! & 0x0f) === 0) {
      const upper =
        ((input[at]! << 24) | (input[at + 1]! << 16) | (input[at + 2]! << 8) | input[at + 3]!) >>> 0;
      if (upper > 0x1f_ffff) break; // the slow path says what is wrong with it
      const lower = ((input[at + 4]! << 24) | (input[at + 5]! << 16) | (input[at + 6]! << 8)) >>> 0;
      this.recordOffset = base + at;
      sink.page(upper * TWO_32 + lower);
      sink.pageBytes(input, at + WORD_BYTES, at + WORD_BYTES + TARGET_PAGE_BYTES, 0);
      at += WORD_BYTES + TARGET_PAGE_BYTES;
    }
    return at;
  }

  #body(input: Uint8Array, at: number, end: number): number {
    const count = Math.min(this.#bodyLeft, end - at);
    this.#sink.pageBytes(input, at, at + count, TARGET_PAGE_BYTES - this.#bodyLeft);
    this.#bodyLeft -= count;
    if (this.#bodyLeft === 0) this.#expect('word', WORD_BYTES);
    return at + count;
  }

  #expect(mode: Mode, wanted: number): void {
    this.#mode = mode;
    this.#wanted = wanted;
  }

  /** Decodes one record's head; returns the bytes it used, or 0 after setting how many it wants. */
  #record(bytes: Uint8Array, at: number, end: number): number {
    return this.#mode === 'list' ? this.#listEntry(bytes, at, end) : this.#word(bytes, at, end);
  }

  #word(bytes: Uint8Array, at: number, end: number): number {
    const word = readBe64(bytes, at);
    const flags = word % TARGET_PAGE_BYTES;
    const offset = word - flags;
    const kind = flags & ~RAM_FLAG.CONTINUE & FLAG_MASK;
    if (kind === RAM_FLAG.EOS) return this.#endOfPayload();
    if (kind === RAM_FLAG.MEM_SIZE) return this.#beginList(offset);
    if (kind !== RAM_FLAG.PAGE && kind !== RAM_FLAG.ZERO) refuseFlags(flags);
    const isNamed = (flags & RAM_FLAG.CONTINUE) === 0;
    if (!isNamed && !this.#hasBlock) {
      throw new ProtocolError(
        'no-block-named',
        `expected the name of a RAM block, found CONTINUE before any`,
        {
          rule: 'D68',
        },
      );
    }
    const nameBytes = isNamed ? (at + WORD_BYTES < end ? 1 + bytes[at + WORD_BYTES]! : 1) : 0;
    const headBytes = WORD_BYTES + nameBytes;
    const recordBytes = kind === RAM_FLAG.ZERO ? headBytes + 1 : headBytes;
    if (at + recordBytes > end) {
      this.#wanted = recordBytes;
      return 0;
    }
    if (isNamed) this.#selectBlock(bytes, at + WORD_BYTES + 1, at + headBytes);
    if (kind === RAM_FLAG.ZERO) {
      this.#sink.zeroPage(offset, bytes[at + headBytes]!);
      this.#expect('word', WORD_BYTES);
    } else {
      this.#sink.page(offset);
      this.#bodyLeft = TARGET_PAGE_BYTES;
      this.#expect('page-body', Number.POSITIVE_INFINITY); // never taken from the carry
    }
    return recordBytes;
  }

  #selectBlock(bytes: Uint8Array, start: number, end: number): void {
    let name = '';
    for (let at = start; at < end; at += 1) name += String.fromCharCode(bytes[at]!);
    this.#sink.selectBlock(name);
    this.#hasBlock = true;
  }

  #endOfPayload(): number {
    this.ended = true;
    this.#expect('word', WORD_BYTES);
    this.#sink.endOfPayload();
    return WORD_BYTES;
  }

  #beginList(totalBytes: number): number {
    this.#listTotal = totalBytes;
    this.#listLeft = totalBytes;
    this.#list = [];
    this.#expect('list', 1);
    this.#endListWhenComplete();
    return WORD_BYTES;
  }

  #listEntry(bytes: Uint8Array, at: number, end: number): number {
    let used = RAM_LIST_ENTRY.measure(bytes, at, end);
    if (at + used > end) return this.#want(used);
    const entry = RAM_LIST_ENTRY.decode(bytes.subarray(at, at + used));
    if (entry.length > this.#listLeft) {
      throw new ProtocolError(
        'bad-ram-list',
        `RAM list: expected lengths that add up to ${hex(this.#listTotal)}, found block '${entry.block}' of ${hex(entry.length)} where ${hex(this.#listLeft)} is left`,
        { rule: 'D60' },
      );
    }
    const { field, summary } = this.#sink.pageSizeField(entry.block);
    let pageSize: number | undefined;
    if (field !== 'absent') {
      if (at + used + 8 > end) return this.#want(used + 8);
      const hasField = field === 'present' || looksLikePageSize(bytes, at + used, summary);
      if (hasField) {
        ({ pageSize } = RAM_LIST_PAGE_SIZE.decode(bytes.subarray(at + used, at + used + 8)));
        used += 8;
      }
    }
    this.#list.push(pageSize === undefined ? entry : { ...entry, pageSize });
    if (this.#list.length > RAM_BLOCK_LIMIT) {
      throw new LimitError('too-many-blocks', `expected at most ${RAM_BLOCK_LIMIT} RAM blocks, found more`);
    }
    this.#listLeft -= entry.length;
    this.#expect('list', 1);
    this.#endListWhenComplete();
    return used;
  }

  #want(bytes: number): 0 {
    this.#wanted = bytes;
    return 0;
  }

  #endListWhenComplete(): void {
    if (this.#listLeft > 0) return;
    this.#expect('word', WORD_BYTES);
    this.#sink.ramList(this.#list, this.#listTotal);
  }
}

/**
 * The RAM list does not say of itself whether an entry has a page size: the source writes it if the block's page is
 * not its default. So it is taken for one if it is a huge page size that the ADVISE summary contains.
 */
function looksLikePageSize(bytes: Uint8Array, at: number, summary: number): boolean {
  if (bytes[at] !== 0 || (bytes[at + 1]! & 0xe0) !== 0) return false;
  const value = readBe64(bytes, at);
  if (value <= TARGET_PAGE_BYTES || value > summary) return false;
  const isOneBit = 2 ** Math.round(Math.log2(value)) === value;
  return isOneBit && Math.floor(summary / value) % 2 === 1;
}
