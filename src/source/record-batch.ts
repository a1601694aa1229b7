// Gathers records in one buffer, so that many of them leave with one system call.
import type { RamBlock } from '../machine/ram-block.ts';
import {
  encodeRecordHead,
  encodeZeroRecord,
  RAM_FLAG,
  TARGET_PAGE_BYTES,
  writePageWord,
} from '../protocol/ram-records.ts';

/** Large enough to make system calls cheap, small enough that a request is seen soon: 256 KiB are 0.1 ms of a fast link. */
const BATCH_BYTES = 256 * 1024;
/** The longest record of one page: word, name and body. */
const LONGEST_RECORD_BYTES = 8 + 256 + TARGET_PAGE_BYTES;

/** A buffer of records, and the channel's memory of the block it named last. */
export class RecordBatch {
  readonly #bytes = new Uint8Array(BATCH_BYTES + LONGEST_RECORD_BYTES);
  #length = 0;
  #block: RamBlock | undefined;

  /** Whether it is time to send what was gathered. */
  get isFull(): boolean {
    return this.#length >= BATCH_BYTES;
  }

  get isEmpty(): boolean {
    return this.#length === 0;
  }

  /** Whether `lengthBytes` more fit in. */
  hasRoomFor(lengthBytes: number): boolean {
    return this.#length + lengthBytes <= this.#bytes.length;
  }

  /** Makes the next page record name its block (rule S7). */
  forgetBlock(): void {
    this.#block = undefined;
  }

  /** Adds bytes that fit in. */
  append(bytes: Uint8Array): void {
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** Adds a target page as it stands now; returns whether it went as a zero page. */
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
      writePageWord(this.#bytes, this.#length, offset, RAM_FLAG.PAGE | RAM_FLAG.CONTINUE);
      this.#length += 8;
    }
    block.copyOut(page, this.#bytes, this.#length);
    this.#length += TARGET_PAGE_BYTES;
    return false;
  }

  /** What was gathered. It is overwritten by what is added next. */
  take(): Uint8Array {
    const bytes = this.#bytes.subarray(0, this.#length);
    this.#length = 0;
    return bytes;
  }
}
