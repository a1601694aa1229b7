// Prints the records of a `ram` payload or a preempt channel.
import { hex } from './bytes.ts';
import { type LineSink, recordLine } from './dissection-lines.ts';
import type { PageSizeField, RamSink } from './ram-record-decoder.ts';
import {
  RAM_LIST_ENTRY,
  RAM_LIST_PAGE_SIZE,
  type RamListEntry,
  TARGET_PAGE_BYTES,
  ZERO_BODY,
} from './ram-records.ts';

const WORD_BYTES = 8;

/** Writes a line for every page record, every entry of the RAM list and every EOS. */
export class RamDissector implements RamSink {
  /** The page-size summary of ADVISE in bytes; 0 while there was none, and then no block has a page-size field. */
  summary = 0;
  readonly #write: LineSink;
  readonly #recordOffset: () => number;
  #block = '';
  /** Length in bytes of the name in the record at hand, 0 for CONTINUE. */
  #nameBytes = 0;

  /** `recordOffset` tells where in the stream the record being decoded begins. */
  constructor(write: LineSink, recordOffset: () => number) {
    this.#write = write;
    this.#recordOffset = recordOffset;
  }

  selectBlock(name: string): void {
    this.#block = name;
    this.#nameBytes = 1 + name.length;
  }

  page(offset: number): void {
    this.#pageRecord('PAGE', TARGET_PAGE_BYTES, offset);
  }

  pageBytes(): void {
    // What is in a page belongs to the guest; the line of its record has been written.
  }

  zeroPage(offset: number, fill: number): void {
    this.#pageRecord(ZERO_BODY.name, 1, offset, ` ${ZERO_BODY.show({ fill })}`);
  }

  #pageRecord(name: string, bodyBytes: number, offset: number, more = ''): void {
    const fields = `block=${JSON.stringify(this.#block)} offset=${hex(offset)}${more}`;
    this.#line(this.#recordOffset(), WORD_BYTES + this.#nameBytes + bodyBytes, name, fields);
    this.#nameBytes = 0;
  }

  ramList(blocks: readonly RamListEntry[], totalBytes: number): void {
    let at = this.#recordOffset();
    this.#line(at, WORD_BYTES, 'MEM_SIZE', `total=${hex(totalBytes)}`);
    at += WORD_BYTES;
    for (const entry of blocks) {
      const entryBytes = RAM_LIST_ENTRY.encode(entry).length;
      this.#line(at, entryBytes, RAM_LIST_ENTRY.name, RAM_LIST_ENTRY.show(entry));
      at += entryBytes;
      if (entry.pageSize === undefined) continue;
      const pageSize = { pageSize: entry.pageSize };
      this.#line(at, WORD_BYTES, RAM_LIST_PAGE_SIZE.name, RAM_LIST_PAGE_SIZE.show(pageSize));
      at += WORD_BYTES;
    }
  }

  endOfPayload(): void {
    this.#line(this.#recordOffset(), WORD_BYTES, 'EOS', '');
  }

  pageSizeField(): { field: PageSizeField; summary: number } {
    return { field: this.summary === 0 ? 'absent' : 'guess', summary: this.summary };
  }

  #line(offset: number, lengthBytes: number, name: string, fields: string): void {
    this.#write(recordLine(offset, lengthBytes, name, fields));
  }
}
