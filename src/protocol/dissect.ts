// Dissects a migration stream record by record, with the one decoder that the migration itself uses.
import { RamDissector } from './dissect-ram.ts';
import { type DissectionPlace, type DissectionSink, errorEntry } from './dissection-entry.ts';
import type { PageSizeField } from './ram-record-decoder.ts';
import type { RamListEntry } from './ram-records.ts';
import { StreamDecoder } from './stream-decoder.ts';
import type { AnnouncedSection, StreamOptions, StreamRecord, StreamSink } from './stream-records.ts';

const EMPTY_COMMAND_BYTES = 5;

/** What a dissection of a main channel may be told beside what the decoder needs. */
export interface DissectionOptions extends StreamOptions {
  readonly stream: 'main' | 'package';
  /** Where the stream begins in the channel, in bytes; for a package. */
  readonly streamOffset?: number;
  /** Whether the extension's command is legal: the negotiation's cookie was answered. */
  readonly extension?: boolean;
  /** Treats all that follows EOF as nothing. */
  readonly ignoresRest?: boolean;
  /** Length in bytes of the payload of a device that is known, as the decoder asks for it. */
  readonly deviceStateBytes?: StreamSink['deviceStateBytes'];
}

/** Hands over every record of a main channel or a package. */
export class StreamDissector implements StreamSink {
  readonly #sink: DissectionSink;
  readonly #options: DissectionOptions;
  readonly #place: DissectionPlace;
  readonly #decoder: StreamDecoder;
  readonly #ram: RamDissector;
  #hasFailed = false;

  constructor(sink: DissectionSink, options: DissectionOptions) {
    this.#sink = sink;
    this.#options = options;
    this.#place = { stream: options.stream, streamOffset: options.streamOffset ?? 0 };
    this.#decoder = new StreamDecoder(this, options);
    this.#decoder.extension = options.extension ?? false;
    this.#decoder.ignoresRest = options.ignoresRest ?? false;
    this.#ram = new RamDissector(sink, this.#place, () => this.#decoder.recordOffset);
  }

  /** Whether an error was handed over: nothing behind it is decoded. */
  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  /** Sections announced so far, by their ids. */
  get announced(): ReadonlyMap<number, AnnouncedSection> {
    return this.#decoder.announced;
  }

  /** Whether EOF has been decoded: what follows is at most the VM description. */
  get hasEnded(): boolean {
    return this.#decoder.hasEnded;
  }

  /** Dissects input of any length. */
  push(input: Uint8Array, start = 0, end = input.length): void {
    this.#attempt(() => this.#decoder.push(input, start, end));
  }

  /** Tells that the input has ended, which is an error unless EOF came before. */
  end(): void {
    this.#attempt(() => this.#decoder.end());
  }

  #attempt(decode: () => void): void {
    if (this.#hasFailed) return;
    try {
      decode();
    } catch (error) {
      this.#hasFailed = true;
      this.#sink.entry(errorEntry(error, this.#place));
    }
  }

  record(record: StreamRecord, offset: number, lengthBytes: number): void {
    const values = streamRecordValues(record, lengthBytes);
    this.#sink.entry({ kind: 'record', ...this.#place, offset, lengthBytes, name: record.name, values });
    if (record.name === 'POSTCOPY_ADVISE') this.#ram.summary = record.pageSizeSummary;
    if (record.name === 'PACKAGE') this.#package(record.blob, offset);
    if (record.name === 'POSTCOPY_RUN' && this.#options.stream === 'package') this.#decoder.stop();
  }

  /** What is in a package has offsets of its own. */
  #package(blob: Uint8Array, streamOffset: number): void {
    const contents = new StreamDissector(this.#sink, {
      ...this.#options,
      begins: 'sections',
      stream: 'package',
      streamOffset,
    });
    contents.push(blob);
    contents.end();
    this.#hasFailed = contents.hasFailed;
    if (this.#hasFailed) this.#decoder.stop();
  }

  selectBlock(name: string): void {
    this.#ram.selectBlock(name);
  }

  page(offset: number): void {
    this.#ram.page(offset);
  }

  pageBytes(input: Uint8Array, start: number, end: number, at: number): void {
    this.#ram.pageBytes(input, start, end, at);
  }

  zeroPage(offset: number, fill: number): void {
    this.#ram.zeroPage(offset, fill);
  }

  ramList(blocks: readonly RamListEntry[], totalBytes: number): void {
    this.#ram.ramList(blocks, totalBytes);
  }

  endOfPayload(): void {
    this.#ram.endOfPayload();
  }

  pageSizeField(): { field: PageSizeField; summary: number } {
    return this.#ram.pageSizeField();
  }

  deviceStateBytes(idstr: string, versionId: number): number | undefined {
    return this.#options.deviceStateBytes?.(idstr, versionId);
  }
}

/** The decoded fields, without the content of a package or a device's state. */
export function streamRecordValues(record: StreamRecord, lengthBytes: number): Record<string, unknown> {
  if (record.name === 'POSTCOPY_ADVISE' && lengthBytes === EMPTY_COMMAND_BYTES) return {};
  if (record.name === 'PACKAGE') return {};
  if (record.name === 'DEVICE_STATE') {
    const { name: _name, payload: _payload, ...values } = record;
    return values;
  }
  const { name: _name, ...values } = record;
  return values;
}
