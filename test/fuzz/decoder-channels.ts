// The four decoders behind one face, and a trace of what each hands on.
import { Buffer } from 'node:buffer';
import { deviceStateBytes } from '../../src/destination/known-devices.ts';
import type { Profile } from '../../src/protocol/profile.ts';
import { type PageSizeField, RamRecordDecoder } from '../../src/protocol/ram-record-decoder.ts';
import type { RamListEntry } from '../../src/protocol/ram-records.ts';
import { ReturnPathDecoder } from '../../src/protocol/return-path-decoder.ts';
import { StreamDecoder, type StreamRecord, type StreamSink } from '../../src/protocol/stream-decoder.ts';
import { encodeRecord, encodeReply } from '../conformance/encode-back.ts';
import { hold } from './fuzz-target.ts';
import { checksum } from './ram-pool.ts';

/** What can be decoded. */
export const CHANNELS = ['main', 'package', 'preempt', 'return path'] as const;
/** One of them. */
export type ChannelName = (typeof CHANNELS)[number];

/** How to decode it. */
export interface ChannelOptions {
  readonly channel: ChannelName;
  readonly profile: Profile;
  readonly extension: boolean;
}

/** A decoder under test. */
export interface OpenChannel {
  push(input: Uint8Array, start: number, end: number): void;
  end(): void;
  /** What it handed on, one line a record; bodies of pages are in it, whole. */
  readonly trace: readonly string[];
}

/** Writes what a decoder hands on, and checks the place and the bytes of every record against the input. */
class TracingSink implements StreamSink {
  readonly trace: string[] = [];
  onRun: () => void = () => undefined;
  readonly #input: Uint8Array;
  #summary = 0;
  #behind = 0;
  readonly #body = Buffer.alloc(4096);
  #isBodyOpen = false;
  #bodyLength = 0;

  constructor(input: Uint8Array) {
    this.#input = input;
  }

  /** A record that stands at a place, and what our encoder makes of it. */
  placed(name: string, encoded: Uint8Array, offset: number, lengthBytes: number): void {
    const isBehind = offset >= this.#behind && offset + lengthBytes <= this.#input.length;
    hold(
      isBehind,
      'records follow each other',
      () => `${name} at ${offset}+${lengthBytes}, the one before ends at ${this.#behind}`,
    );
    this.#behind = offset + lengthBytes;
    const found = this.#input.subarray(offset, offset + lengthBytes);
    hold(
      Buffer.compare(found, encoded) === 0,
      'encodes back',
      () => `${name} at ${offset}: ${Buffer.from(encoded).toString('hex').slice(0, 200)}`,
    );
    this.trace.push(`${name} ${offset}+${lengthBytes}`);
  }

  record(record: StreamRecord, offset: number, lengthBytes: number): void {
    this.placed(record.name, encodeRecord(record, lengthBytes), offset, lengthBytes);
    if (record.name === 'POSTCOPY_ADVISE') this.#summary = record.pageSizeSummary;
    if (record.name === 'POSTCOPY_RUN') this.onRun();
  }

  deviceStateBytes(idstr: string, versionId: number): number | undefined {
    return deviceStateBytes(idstr, versionId);
  }

  selectBlock(name: string): void {
    this.trace.push(`block ${name}`);
  }

  page(offset: number): void {
    this.#holdWhole();
    this.#isBodyOpen = true;
    this.#bodyLength = 0;
    this.trace.push(`page ${offset}`);
  }

  pageBytes(input: Uint8Array, start: number, end: number, at: number): void {
    hold(
      this.#isBodyOpen && at === this.#bodyLength,
      'page bytes in order',
      () => `bytes for ${at} of a page that has ${this.#bodyLength}`,
    );
    hold(
      end > start && at + end - start <= 4096,
      'page bytes in order',
      () => `${end - start} bytes for ${at} of a page`,
    );
    this.#body.set(input.subarray(start, end), at);
    this.#bodyLength += end - start;
    if (this.#bodyLength < 4096) return;
    this.trace.push(`body ${checksum(this.#body)}`);
    this.#isBodyOpen = false;
  }

  zeroPage(offset: number, fill: number): void {
    this.#holdWhole();
    this.trace.push(`zero ${offset} ${fill}`);
  }

  ramList(blocks: readonly RamListEntry[], totalBytes: number): void {
    const sum = blocks.reduce((lengthBytes, { length }) => lengthBytes + length, 0);
    hold(sum === totalBytes, 'RAM list adds up', () => `${sum} of ${totalBytes}`);
    this.trace.push(`list ${JSON.stringify(blocks)}`);
  }

  endOfPayload(): void {
    this.#holdWhole();
    this.trace.push('EOS');
  }

  pageSizeField(): { field: PageSizeField; summary: number } {
    return { field: this.#summary === 0 ? 'absent' : 'guess', summary: this.#summary };
  }

  /** What came of a page that never became whole, so that two runs can be compared. */
  get openBody(): string {
    return this.#isBodyOpen ? this.#body.toString('latin1', 0, this.#bodyLength) : '';
  }

  #holdWhole(): void {
    hold(
      !this.#isBodyOpen,
      'page bytes in order',
      () => `a record after ${this.#bodyLength} bytes of a page`,
    );
  }
}

/** A fresh decoder for `input`, of which it will be pushed pieces. */
export function openChannel(input: Uint8Array, { channel, profile, extension }: ChannelOptions): OpenChannel {
  const sink = new TracingSink(input);
  if (channel === 'return path') {
    const decoder = new ReturnPathDecoder(
      (record, offset, lengthBytes) => sink.placed(record.name, encodeReply(record), offset, lengthBytes),
      { profile },
    );
    decoder.extension = extension;
    return {
      push: (bytes, start, end) => decoder.push(bytes.subarray(start, end)),
      end: () => decoder.end(),
      trace: sink.trace,
    };
  }
  if (channel === 'preempt') {
    const decoder = new RamRecordDecoder(sink);
    return {
      push(bytes, start, end) {
        if (!decoder.ended) decoder.consume(bytes, start, end, start);
      },
      end: () => sink.trace.push(sink.openBody),
      trace: sink.trace,
    };
  }
  const begins = channel === 'main' ? 'header' : 'sections';
  const decoder = new StreamDecoder(sink, { profile, begins, stream: channel });
  decoder.extension = extension;
  if (channel === 'package') sink.onRun = () => decoder.stop();
  return {
    push: (bytes, start, end) => decoder.push(bytes, start, end),
    end() {
      sink.trace.push(sink.openBody, `position ${decoder.position}`);
      decoder.end();
    },
    trace: sink.trace,
  };
}
