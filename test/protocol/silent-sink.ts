// A stream sink that takes everything and says nothing; tests override the part they look at.
import type { PageSizeField } from '../../src/protocol/ram-record-decoder.ts';
import type { RamListEntry } from '../../src/protocol/ram-records.ts';
import type { StreamRecord, StreamSink } from '../../src/protocol/stream-decoder.ts';

/** Takes everything; the RAM list's page sizes are guessed once ADVISE has told a summary. */
export class SilentSink implements StreamSink {
  #summary = 0;

  record(record: StreamRecord, _offset: number, _lengthBytes: number): void {
    if (record.name === 'POSTCOPY_ADVISE') this.#summary = record.pageSizeSummary;
  }

  deviceStateBytes(_idstr: string, _versionId: number): number | undefined {
    return undefined;
  }

  selectBlock(_name: string): void {}
  page(_offset: number): void {}
  pageBytes(_input: Uint8Array, _start: number, _end: number, _at: number): void {}
  zeroPage(_offset: number, _fill: number): void {}
  ramList(_blocks: readonly RamListEntry[], _totalBytes: number): void {}
  endOfPayload(): void {}

  pageSizeField(_block: string): { field: PageSizeField; summary: number } {
    return { field: this.#summary === 0 ? 'absent' : 'guess', summary: this.#summary };
  }
}
