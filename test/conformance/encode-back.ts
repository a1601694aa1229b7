// Decodes a stream and encodes every record again, to show that nothing is lost between the two.
import { type COMMANDS, encodeCommand } from '../../src/protocol/commands.ts';
import { joinBytes } from '../../src/protocol/message.ts';
import type { PageSizeField, RamSink } from '../../src/protocol/ram-record-decoder.ts';
import { RamRecordDecoder } from '../../src/protocol/ram-record-decoder.ts';
import {
  encodeEos,
  encodeRamList,
  encodeRecordHead,
  encodeZeroRecord,
  RAM_FLAG,
  type RamListEntry,
} from '../../src/protocol/ram-records.ts';
import { encodeReceivedBitmap } from '../../src/protocol/received-bitmap.ts';
import { ReturnPathDecoder, type ReturnPathRecord } from '../../src/protocol/return-path-decoder.ts';
import { encodeReturnPath } from '../../src/protocol/return-path-messages.ts';
import {
  CONFIGURATION_SUBSECTIONS,
  encodeConfigurationSubsection,
  encodeHeader,
  encodeSection,
  SECTIONS,
} from '../../src/protocol/sections.ts';
import { StreamDecoder, type StreamRecord, type StreamSink } from '../../src/protocol/stream-decoder.ts';
import type { Vector } from './vectors.ts';

const SUBSECTION_BY_NAME = new Map(
  Object.entries(CONFIGURATION_SUBSECTIONS).map(([wireName, type]) => [type.name as string, wireName]),
);

class RamEncoderBack implements RamSink {
  readonly pieces: Uint8Array[] = [];
  #named: string | undefined;
  #summary = 0;

  selectBlock(name: string): void {
    this.#named = name;
  }

  page(offset: number): void {
    this.pieces.push(encodeRecordHead(offset, RAM_FLAG.PAGE, this.#named));
    this.#named = undefined;
  }

  pageBytes(input: Uint8Array, start: number, end: number): void {
    this.pieces.push(input.slice(start, end));
  }

  zeroPage(offset: number, fill: number): void {
    this.pieces.push(encodeZeroRecord(offset, this.#named, fill));
    this.#named = undefined;
  }

  ramList(blocks: readonly RamListEntry[]): void {
    this.pieces.push(encodeRamList(blocks));
  }

  endOfPayload(): void {
    this.pieces.push(encodeEos());
  }

  pageSizeField(): { field: PageSizeField; summary: number } {
    return { field: this.#summary === 0 ? 'absent' : 'guess', summary: this.#summary };
  }

  protected advise(summary: number): void {
    this.#summary = summary;
  }
}

class StreamEncoderBack extends RamEncoderBack implements StreamSink {
  onRun: () => void = () => undefined;

  record(record: StreamRecord, _offset: number, lengthBytes: number): void {
    if (record.name === 'POSTCOPY_ADVISE') this.advise(record.pageSizeSummary);
    this.pieces.push(encodeRecord(record, lengthBytes));
    if (record.name === 'POSTCOPY_RUN') this.onRun();
  }

  deviceStateBytes(): undefined {
    return undefined;
  }
}

/** A record of the main channel, as our encoders write it; `lengthBytes` tells an empty ADVISE from a full one. */
export function encodeRecord(record: StreamRecord, lengthBytes: number): Uint8Array {
  if (record.name === 'HEADER') return encodeHeader();
  if (record.name === 'PACKAGE') return record.blob;
  if (record.name === 'DEVICE_STATE') return record.payload;
  const wireName = SUBSECTION_BY_NAME.get(record.name);
  if (wireName !== undefined) {
    return encodeConfigurationSubsection(wireName as 'configuration/uuid', record as never);
  }
  if (record.name in SECTIONS) return encodeSection(record.name as 'EOF', record as never);
  if (record.name === 'POSTCOPY_ADVISE' && lengthBytes === 5) return Uint8Array.of(8, 0, 3, 0, 0);
  return encodeCommand(record.name as keyof typeof COMMANDS, record as never);
}

/** A record of the return path, as our encoders write it. */
export function encodeReply(record: ReturnPathRecord): Uint8Array {
  if (record.name === 'RECEIVED_BITMAP') return encodeReceivedBitmap(record.bits);
  return encodeReturnPath(record.name, record as never);
}

/** Bytes that our encoders write for what our decoders read of the vector. */
export function encodeBack(vector: Vector): Uint8Array {
  const { bytes, stream, profile, begins, extension } = vector;
  if (stream === 'return path') {
    const pieces: Uint8Array[] = [];
    const decoder = new ReturnPathDecoder((record) => pieces.push(encodeReply(record)), { profile });
    decoder.extension = extension;
    decoder.push(bytes);
    return joinBytes(pieces);
  }
  if (stream === 'preempt') {
    const sink = new RamEncoderBack();
    new RamRecordDecoder(sink).consume(bytes, 0, bytes.length, 0);
    return joinBytes(sink.pieces);
  }
  const sink = new StreamEncoderBack();
  const isPackage = stream === 'package';
  const decoder = new StreamDecoder(sink, { profile, begins: isPackage ? 'sections' : begins, stream });
  decoder.extension = extension;
  if (isPackage) sink.onRun = () => decoder.stop();
  decoder.push(bytes);
  return joinBytes(sink.pieces);
}
