// Gathers records, so that many of them leave with one system call. Page bodies stay where they are, in guest RAM.
import type { RamBlock } from '../machine/ram-block.ts';
import {
  encodeRecordHead,
  encodeZeroRecord,
  RAM_FLAG,
  TARGET_PAGE_BYTES,
  writePageWord,
} from '../protocol/ram-records.ts';

/** Large enough to make system calls cheap, small enough that a request is seen soon: 512 KiB are 0.2 ms of a fast link. */
export const BATCH_BYTES = 512 * 1024;
const WORD_BYTES = 8;
/** The longest record of one page: word, name and body. */
const LONGEST_RECORD_BYTES = WORD_BYTES + 256 + TARGET_PAGE_BYTES;

/** Bytes of the stream, in pieces that follow each other. */
export interface StreamPieces {
  readonly pieces: readonly Uint8Array[];
  /** Of all pieces together. */
  readonly lengthBytes: number;
}

/** Records in the order of the stream, and the channel's memory of the block it named last. */
export class RecordBatch {
  /** From how many bytes on it is full; at most `BATCH_BYTES`. */
  fullBytes = BATCH_BYTES;
  /** All that is not a page body. */
  readonly #heads = new Uint8Array(BATCH_BYTES + LONGEST_RECORD_BYTES);
  /** Runs of heads, and views of guest RAM. */
  #pieces: Uint8Array[] = [];
  /** Heads before this one are in pieces already. */
  #runStart = 0;
  #headEnd = 0;
  #length = 0;
  #block: RamBlock | undefined;

  /** Whether it is time to send what was gathered. */
  get isFull(): boolean {
    return this.#length >= this.fullBytes;
  }

  /** Bytes that were gathered. */
  get lengthBytes(): number {
    return this.#length;
  }

  get isEmpty(): boolean {
    return this.#length === 0;
  }

  /** Whether `lengthBytes` more fit in. */
  hasRoomFor(lengthBytes: number): boolean {
    return this.#length + lengthBytes <= this.#heads.length;
  }

  /** Makes the next page record name its block (rule S7). */
  forgetBlock(): void {
    this.#block = undefined;
  }

  /** Adds bytes that fit in. */
  append(bytes: Uint8Array): void {
    this.#heads.set(bytes, this.#headEnd);
    this.#headEnd += bytes.length;
    this.#length += bytes.length;
  }

  /** Adds a target page; returns whether it went as a zero page. Else its bytes are read when they are written. */
  appendPage(block: RamBlock, page: number): boolean {
    const offset = page * TARGET_PAGE_BYTES;
    const isNamed = this.#block !== block;
    this.#block = block;
    if (block.isZeroPage(page)) {
      this.append(encodeZeroRecord(offset, isNamed ? block.name : undefined));
      return true;
    }
    if (isNamed) {
      this.append(encodeRecordHead(offset, RAM_FLAG.PAGE, block.name));
    } else {
      writePageWord(this.#heads, this.#headEnd, offset, RAM_FLAG.PAGE | RAM_FLAG.CONTINUE);
      this.#headEnd += WORD_BYTES;
      this.#length += WORD_BYTES;
    }
    this.#endRun();
    this.#pieces.push(block.targetPageBytes(page));
    this.#length += TARGET_PAGE_BYTES;
    return false;
  }

  /** What was gathered, as pieces to be written in order. The heads in it are overwritten by what is added next. */
  take(): StreamPieces {
    this.#endRun();
    const gathered = { pieces: this.#pieces, lengthBytes: this.#length };
    this.#pieces = [];
    this.#runStart = 0;
    this.#headEnd = 0;
    this.#length = 0;
    return gathered;
  }

  #endRun(): void {
    if (this.#headEnd > this.#runStart)
      this.#pieces.push(this.#heads.subarray(this.#runStart, this.#headEnd));
    this.#runStart = this.#headEnd;
  }
}
