// Dissects the records of a `ram` payload or a preempt channel.
import type { DissectionPlace, DissectionSink } from './dissection-entry.ts';
import type { PageSizeField, RamSink } from './ram-record-decoder.ts';
import { RAM_LIST_ENTRY, RAM_LIST_PAGE_SIZE, type RamListEntry, TARGET_PAGE_BYTES } from './ram-records.ts';

const WORD_BYTES = 8;

/** Hands over every page record, every entry of the RAM list and every EOS. */
export class RamDissector implements RamSink {
  /** The page-size summary of ADVISE in bytes; 0 while there was none, and then no block has a page-size field. */
  summary = 0;
  readonly #sink: DissectionSink;
  readonly #place: DissectionPlace;
  readonly #recordOffset: () => number;
  #block = '';
  /** Length in bytes of the name in the record at hand, 0 for CONTINUE. */
  #nameBytes = 0;

  /** `recordOffset` tells where in the stream the record being decoded begins. */
  constructor(sink: DissectionSink, place: DissectionPlace, recordOffset: () => number) {
    this.#sink = sink;
    this.#place = place;
    this.#recordOffset = recordOffset;
  }

  selectBlock(name: string): void {
    this.#block = name;
    this.#nameBytes = 1 + name.length;
  }

  page(offset: number): void {
    this.#pageRecord('PAGE', TARGET_PAGE_BYTES, { block: this.#block, offset });
  }

  pageBytes(input: Uint8Array, start: number, end: number, at: number): void {
    this.#sink.pageBytes?.(input, start, end, at);
    if (at + end - start === TARGET_PAGE_BYTES) this.#sink.pageEnd();
  }

  zeroPage(offset: number, fill: number): void {
    this.#pageRecord('ZERO', 1, { block: this.#block, offset, fill });
  }

  #pageRecord(name: string, bodyBytes: number, values: Record<string, unknown>): void {
    this.#record(this.#recordOffset(), WORD_BYTES + this.#nameBytes + bodyBytes, name, values);
    this.#nameBytes = 0;
  }

  ramList(blocks: readonly RamListEntry[], total: number): void {
    let at = this.#recordOffset();
    this.#record(at, WORD_BYTES, 'MEM_SIZE', { total });
    at += WORD_BYTES;
    for (const { block, length, pageSize } of blocks) {
      const entryBytes = RAM_LIST_ENTRY.encode({ block, length }).length;
      this.#record(at, entryBytes, RAM_LIST_ENTRY.name, { block, length });
      at += entryBytes;
      if (pageSize === undefined) continue;
      this.#record(at, WORD_BYTES, RAM_LIST_PAGE_SIZE.name, { pageSize });
      at += WORD_BYTES;
    }
  }

  endOfPayload(): void {
    this.#record(this.#recordOffset(), WORD_BYTES, 'EOS', {});
  }

  pageSizeField(): { field: PageSizeField; summary: number } {
    return { field: this.summary === 0 ? 'absent' : 'guess', summary: this.summary };
  }

  #record(offset: number, lengthBytes: number, name: string, values: Record<string, unknown>): void {
    const { stream, streamOffset } = this.#place;
    this.#sink.entry({ kind: 'record', stream, offset, streamOffset, lengthBytes, name, values });
  }
}
