// Prints a migration stream record by record, with the one decoder that the migration itself uses.

import { COMMANDS } from './commands.ts';
import { RamDissector } from './dissect-ram.ts';
import { errorLine, indexByName, type LineSink, recordLine, showFields } from './dissection-lines.ts';
import type { PageSizeField } from './ram-record-decoder.ts';
import type { RamListEntry } from './ram-records.ts';
import { CONFIGURATION_SUBSECTIONS, HEADER, SECTIONS } from './sections.ts';
import { StreamDecoder } from './stream-decoder.ts';
import type { StreamOptions, StreamRecord, StreamSink } from './stream-records.ts';

const TYPES = indexByName({ HEADER }, SECTIONS, CONFIGURATION_SUBSECTIONS, COMMANDS);
const EMPTY_COMMAND_BYTES = 5;

/** What a dissection of a main channel may be told beside what the decoder needs. */
export interface DissectionOptions extends StreamOptions {
  /** Whether the extension's command is legal: the negotiation's cookie was answered. */
  readonly extension?: boolean;
  /** Treats all that follows EOF as nothing. */
  readonly ignoresRest?: boolean;
  /** Length in bytes of the payload of a device that is known, as the decoder asks for it. */
  readonly deviceStateBytes?: StreamSink['deviceStateBytes'];
}

/** Writes a line for every record of a main channel or a package. */
export class StreamDissector implements StreamSink {
  readonly #write: LineSink;
  readonly #options: DissectionOptions;
  readonly #decoder: StreamDecoder;
  readonly #ram: RamDissector;
  #hasFailed = false;

  constructor(write: LineSink, options: DissectionOptions) {
    this.#write = write;
    this.#options = options;
    this.#decoder = new StreamDecoder(this, options);
    this.#decoder.extension = options.extension ?? false;
    this.#decoder.ignoresRest = options.ignoresRest ?? false;
    this.#ram = new RamDissector(write, () => this.#decoder.recordOffset);
  }

  /** Whether an error was written: nothing behind it is decoded. */
  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  /** Dissects input of any length. */
  push(input: Uint8Array): void {
    this.#attempt(() => this.#decoder.push(input));
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
      this.#write(errorLine(error));
    }
  }

  record(record: StreamRecord, offset: number, lengthBytes: number): void {
    this.#write(recordLine(offset, lengthBytes, record.name, this.#fields(record, lengthBytes)));
    if (record.name === 'POSTCOPY_ADVISE') this.#ram.summary = record.pageSizeSummary;
    if (record.name === 'PACKAGE') this.#package(record.blob);
    if (record.name === 'POSTCOPY_RUN' && this.#options.stream === 'package') this.#decoder.stop();
  }

  #fields(record: StreamRecord, lengthBytes: number): string {
    if (record.name === 'POSTCOPY_ADVISE' && lengthBytes === EMPTY_COMMAND_BYTES) return '';
    if (record.name !== 'DEVICE_STATE') return showFields(TYPES, record);
    const { idstr, instanceId, versionId } = record;
    return `idstr=${JSON.stringify(idstr)} instanceId=${instanceId} versionId=${versionId}`;
  }

  /** What is in a package stands two spaces to the right, with offsets of its own. */
  #package(blob: Uint8Array): void {
    const contents = new StreamDissector((line) => this.#write(`  ${line}`), {
      ...this.#options,
      begins: 'sections',
      stream: 'package',
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

  pageBytes(): void {
    this.#ram.pageBytes();
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
