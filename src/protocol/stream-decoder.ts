// Decodes a migration stream, source to destination, as a push parser of sections and commands.
import { LimitError, ProtocolError, TransportError } from '../errors.ts';
import { hex } from './bytes.ts';
import { Carry } from './carry.ts';
import { COMMAND_BY_CODE, COMMAND_SECTION, type Command } from './commands.ts';
import { DeviceStateCollector } from './device-state.ts';
import { checkDiscardPayload } from './discard-payload.ts';
import { locate } from './locate.ts';
import { type Profile, refuses } from './profile.ts';
import { RamRecordDecoder, type RamSink } from './ram-record-decoder.ts';
import { RAM_IDSTR } from './ram-records.ts';
import {
  CONFIGURATION_SUBSECTIONS,
  type ConfigurationSubsection,
  HEADER,
  SECTION_BY_CODE,
  SECTIONS,
  type SectionRecord,
  STREAM_MAGIC,
  STREAM_VERSION,
  SUBSECTION,
  SUBSECTION_HEAD,
} from './sections.ts';

/** Everything on the main channel that is not a page. */
export type StreamRecord =
  | { readonly name: 'HEADER'; readonly magic: number; readonly version: number }
  | SectionRecord
  | ConfigurationSubsection
  | Command
  | { readonly name: 'PACKAGE'; readonly blob: Uint8Array }
  | {
      readonly name: 'DEVICE_STATE';
      readonly sectionId: number;
      readonly idstr: string;
      readonly instanceId: number;
      readonly versionId: number;
      readonly payload: Uint8Array;
    };

/** Takes the decoded stream. Every method may throw to refuse what it got. */
export interface StreamSink extends RamSink {
  /** A record and where it stood in the stream, in bytes. A DISCARD or PACKAGE is given whole or not at all. */
  record(record: StreamRecord, offset: number, length: number): void;
  /** Length in bytes of the payload of a device that is known; undefined lets the decoder search its footer. */
  deviceStateBytes(idstr: string, versionId: number): number | undefined;
}

/** How a stream is to be read. */
export interface StreamOptions {
  readonly profile: Profile;
  /** Where the stream begins: a fresh migration has a header, a recovered one and a package have none. */
  readonly begins: 'header' | 'sections';
  /** Name for errors, such as `main` or `package`. */
  readonly stream: string;
  /** A longer package is refused before its bytes are awaited; default 64 MiB. */
  readonly packageLimitBytes?: number;
}

type Mode =
  | 'header'
  | 'configuration'
  | 'subsection'
  | 'section'
  | 'ram'
  | 'device'
  | 'package'
  | 'footer'
  | 'ended';

/** Section id, idstr and versions, from the START or FULL that announced it. */
interface Announced {
  readonly idstr: string;
  readonly instanceId: number;
  readonly versionId: number;
}

const PACKAGE_LIMIT_BYTES = 64 * 1024 * 1024;
const COMMAND_HEAD_BYTES = 5;

/** Push parser of the main channel and of a package. */
export class StreamDecoder {
  /** Whether the extension's command may come: set once the cookie was answered. */
  extension = false;
  /** Set to treat all that follows EOF as nothing, which is how postcopy ends (rule D18). */
  ignoresRest = false;
  readonly #sink: StreamSink;
  readonly #options: StreamOptions;
  readonly #ram: RamRecordDecoder;
  readonly #carry = new Carry();
  readonly #announced = new Map<number, Announced>();
  #mode: Mode;
  #wanted: number;
  /** Offset in the stream of the byte that comes next. */
  #position = 0;
  #recordOffset = 0;
  #sectionId = 0;
  #device: DeviceStateCollector | undefined;
  #packageBytes = 0;
  #eofSeen = false;

  constructor(sink: StreamSink, options: StreamOptions) {
    this.#sink = sink;
    this.#options = options;
    this.#ram = new RamRecordDecoder(sink);
    this.#mode = options.begins === 'header' ? 'header' : 'section';
    this.#wanted = options.begins === 'header' ? 8 : 1;
  }

  /** Bytes decoded so far. */
  get position(): number {
    return this.#position;
  }

  /** Whether EOF has been decoded. */
  get hasEnded(): boolean {
    return this.#eofSeen;
  }

  /** Whether the decoder stands between two records: nothing has begun that is not complete. */
  get isBetweenRecords(): boolean {
    const isIdle = this.#mode === 'section' || this.#mode === 'subsection' || this.#mode === 'ended';
    return isIdle && this.#carry.length === 0;
  }

  /** Stops: all further input is counted and ignored. A package ends so after RUN (rule D49). */
  stop(): void {
    this.#mode = 'ended';
  }

  /** Decodes `input[start..end)`. @throws MigrationError with offset and stream for a record it must refuse */
  push(input: Uint8Array, start = 0, end = input.length): void {
    let at = start;
    try {
      while (at < end || this.#carry.length >= this.#wanted) {
        const used = this.#step(input, at, end);
        at += used;
        this.#position += used;
        if (this.#mode === 'ended') {
          this.#position += end - at;
          return;
        }
        if (used === 0 && at === end) return;
      }
    } catch (error) {
      const offset = this.#mode === 'ram' ? this.#ram.recordOffset : this.#recordOffset;
      throw locate(error, { offset, stream: this.#options.stream });
    }
  }

  /** Tells that the input has ended. @throws TransportError `truncated` unless EOF came before */
  end(): void {
    if (this.#eofSeen && (this.#mode === 'ended' || this.isBetweenRecords)) return;
    const { what, found } = this.#unfinished();
    throw new TransportError('truncated', `expected ${what}, found the end of the stream${found}`, {
      offset: this.#position,
      stream: this.#options.stream,
      rule: 'D16',
    });
  }

  #unfinished(): { what: string; found: string } {
    const held = this.#carry.length === 0 ? '' : ` after ${this.#carry.length} of its bytes`;
    switch (this.#mode) {
      case 'ram': {
        const missing = this.#ram.missingPageBytes;
        const what = missing > 0 ? `${missing} more bytes of a page` : 'a record of the ram section';
        return { what, found: ` (the last record begins at ${hex(this.#ram.recordOffset)})` };
      }
      case 'package':
        return { what: `a package of ${this.#packageBytes} bytes`, found: held };
      case 'device':
        return { what: `the state of section ${this.#sectionId} and its footer`, found: '' };
      default:
        return {
          what: this.#mode === 'section' ? 'a section, a command or EOF' : `the ${this.#mode}`,
          found: held,
        };
    }
  }

  #step(input: Uint8Array, at: number, end: number): number {
    if (this.#mode === 'ram') {
      const next = this.#ram.consume(input, at, end, this.#position);
      if (this.#ram.ended) this.#expect('footer', 5);
      return next - at;
    }
    if (this.#mode === 'device') return this.#deviceState(input, at, end);
    if (this.#carry.length === 0) this.#recordOffset = this.#position;
    if (this.#carry.length === 0 && end - at >= this.#wanted) {
      const used = this.#record(input, at, end);
      if (used > 0) return used;
    }
    const taken = this.#carry.topUp(input, at, end, this.#wanted);
    if (this.#carry.length >= this.#wanted) {
      const used = this.#record(this.#carry.bytes, 0, this.#carry.length);
      if (used > 0) this.#carry.drop(used);
    }
    return taken;
  }

  #expect(mode: Mode, wanted: number): void {
    this.#mode = mode;
    this.#wanted = wanted;
  }

  /** Asks for the record again when `bytes` of it are there. */
  #want(bytes: number): 0 {
    this.#wanted = bytes;
    return 0;
  }

  /** Decodes one record that is not a page; returns the bytes it used, or 0 after setting how many it wants. */
  #record(bytes: Uint8Array, at: number, end: number): number {
    switch (this.#mode) {
      case 'header':
        return this.#header(bytes, at);
      case 'configuration':
        return this.#configuration(bytes, at, end);
      case 'subsection':
        return this.#subsection(bytes, at, end);
      case 'footer':
        return this.#footer(bytes, at);
      case 'package':
        return this.#package(bytes, at);
      default:
        return this.#section(bytes, at, end);
    }
  }

  #header(bytes: Uint8Array, at: number): number {
    const values = HEADER.decode(bytes.subarray(at, at + 8));
    if (values.magic !== STREAM_MAGIC) {
      throw new ProtocolError(
        'bad-magic',
        `expected the magic ${hex(STREAM_MAGIC)}, found ${hex(values.magic, 8)}`,
        {
          rule: 'D1',
        },
      );
    }
    if (values.version !== STREAM_VERSION) {
      const old = values.version === 2 ? ' (the obsolete format)' : '';
      throw new ProtocolError(
        'bad-version',
        `expected stream version ${STREAM_VERSION}, found ${values.version}${old}`,
        {
          rule: 'D2',
        },
      );
    }
    this.#expect('configuration', 1);
    this.#sink.record({ name: 'HEADER', ...values }, this.#recordOffset, 8);
    return 8;
  }

  #configuration(bytes: Uint8Array, at: number, end: number): number {
    const type = SECTIONS.CONFIGURATION;
    if (bytes[at] !== type.code) {
      throw new ProtocolError(
        'no-configuration',
        `expected the configuration (0x07), found ${hex(bytes[at]!, 2)}`,
        {
          rule: 'D3',
        },
      );
    }
    const used = 1 + type.measure(bytes, at + 1, end);
    if (at + used > end) return this.#want(used);
    const values = type.decode(bytes.subarray(at + 1, at + used));
    this.#expect('subsection', 1);
    this.#sink.record({ name: type.name, ...values }, this.#recordOffset, used);
    return used;
  }

  #subsection(bytes: Uint8Array, at: number, end: number): number {
    if (bytes[at] !== SUBSECTION) {
      this.#expect('section', 1);
      return this.#section(bytes, at, end);
    }
    const headBytes = 1 + SUBSECTION_HEAD.measure(bytes, at + 1, end);
    if (at + headBytes > end) return this.#want(headBytes);
    const { subsection, versionId } = SUBSECTION_HEAD.decode(bytes.subarray(at + 1, at + headBytes));
    const type = CONFIGURATION_SUBSECTIONS[subsection as keyof typeof CONFIGURATION_SUBSECTIONS];
    if (type === undefined || versionId !== 1) {
      throw new ProtocolError(
        'unknown-subsection',
        `expected a known subsection of the configuration in version 1, found '${subsection}' version ${versionId}`,
        { rule: 'D5' },
      );
    }
    const used = headBytes + type.measure(bytes, at + headBytes, end);
    if (at + used > end) return this.#want(used);
    const values = type.decode(bytes.subarray(at + headBytes, at + used));
    this.#expect('subsection', 1);
    this.#sink.record({ name: type.name, ...values } as ConfigurationSubsection, this.#recordOffset, used);
    return used;
  }

  #section(bytes: Uint8Array, at: number, end: number): number {
    const code = bytes[at]!;
    if (this.#eofSeen && (this.ignoresRest || code !== SECTIONS.VMDESCRIPTION.code)) {
      this.stop();
      return 1;
    }
    if (code === COMMAND_SECTION) return this.#command(bytes, at, end);
    const type = SECTION_BY_CODE.get(code);
    const isExpected =
      type !== undefined &&
      type !== SECTIONS.CONFIGURATION &&
      type !== SECTIONS.SECTION_FOOTER &&
      (type !== SECTIONS.VMDESCRIPTION || this.#eofSeen);
    if (!isExpected) {
      throw new ProtocolError('unknown-section-type', `expected a section type, found ${hex(code, 2)}`, {
        rule: 'D9',
      });
    }
    const used = 1 + type.measure(bytes, at + 1, end);
    if (at + used > end) return this.#want(used);
    const record = { name: type.name, ...type.decode(bytes.subarray(at + 1, at + used)) } as SectionRecord;
    this.#expect('section', 1);
    if (record.name === 'EOF') this.#eofSeen = true;
    if ('sectionId' in record) this.#checkAnnounced(record);
    this.#sink.record(record, this.#recordOffset, used);
    if (record.name === 'VMDESCRIPTION') this.stop();
    else if ('sectionId' in record) this.#beginPayload(record);
    return used;
  }

  #checkAnnounced(record: SectionRecord & { sectionId: number }): void {
    if ('idstr' in record) {
      if (record.idstr !== '') return;
      throw new ProtocolError(
        'unknown-section',
        `section ${record.sectionId}: expected a name, found an empty one`,
        {
          rule: 'D10',
        },
      );
    }
    if (this.#announced.has(record.sectionId)) return;
    throw new ProtocolError(
      'unknown-section-id',
      `${record.name}: expected the id of an announced section, found ${record.sectionId}`,
      { rule: 'D13' },
    );
  }

  #beginPayload(record: SectionRecord & { sectionId: number }): void {
    const { sectionId } = record;
    if ('idstr' in record) this.#announced.set(sectionId, record);
    const { idstr, versionId } = this.#announced.get(sectionId)!;
    this.#sectionId = sectionId;
    if (idstr === RAM_IDSTR) {
      this.#expect('ram', Number.POSITIVE_INFINITY);
      return;
    }
    this.#device = new DeviceStateCollector(sectionId, this.#sink.deviceStateBytes(idstr, versionId));
    this.#expect('device', Number.POSITIVE_INFINITY);
    this.#recordOffset = this.#position;
  }

  #deviceState(input: Uint8Array, start: number, end: number): number {
    const { at, payload, rest } = this.#device!.collect(input, start, end);
    const used = at - start;
    if (payload === undefined) return used;
    const { idstr, instanceId, versionId } = this.#announced.get(this.#sectionId)!;
    this.#expect('footer', 5);
    const footerAt = this.#position + used - (rest?.length ?? 0);
    this.#sink.record(
      { name: 'DEVICE_STATE', sectionId: this.#sectionId, idstr, instanceId, versionId, payload },
      footerAt - payload.length,
      payload.length,
    );
    if (rest !== undefined) {
      // The search had to look behind the footer: those few bytes are decoded from here, at their place in the stream.
      this.#position = footerAt;
      this.push(rest);
    }
    return used;
  }

  #footer(bytes: Uint8Array, at: number): number {
    const type = SECTIONS.SECTION_FOOTER;
    const { sectionId } = type.decode(bytes.subarray(at + 1, at + 5));
    if (bytes[at] !== type.code || sectionId !== this.#sectionId) {
      const found = bytes[at] === type.code ? `one of section ${sectionId}` : hex(bytes[at]!, 2);
      throw new ProtocolError(
        'bad-footer',
        `expected the footer of section ${this.#sectionId}, found ${found}`,
        { rule: 'D15' },
      );
    }
    this.#expect('section', 1);
    this.#sink.record({ name: type.name, sectionId }, this.#recordOffset, 5);
    return 5;
  }

  #command(bytes: Uint8Array, at: number, end: number): number {
    if (end - at < COMMAND_HEAD_BYTES) return this.#want(COMMAND_HEAD_BYTES);
    const code = bytes[at + 1]! * 256 + bytes[at + 2]!;
    const length = bytes[at + 3]! * 256 + bytes[at + 4]!;
    const type = COMMAND_BY_CODE.get(code);
    if (type === undefined || refuses(type, this.#options.profile, this.extension)) {
      const known = type === undefined ? '' : ` (${type.name}, not legal here)`;
      throw new ProtocolError('unknown-command', `expected a command, found ${hex(code, 4)}${known}`, {
        rule: 'D20',
      });
    }
    const isEmptyAllowed = type.mayBeEmpty === true && length === 0;
    if (type.fixedBytes !== undefined && type.fixedBytes !== length && !isEmptyAllowed) {
      const expected = type.mayBeEmpty === true ? `0 or ${type.fixedBytes}` : String(type.fixedBytes);
      throw new ProtocolError(
        'bad-command-length',
        `${type.name}: expected length ${expected}, found ${length}`,
        {
          rule: type.name === 'POSTCOPY_ADVISE' ? 'D27' : 'D21',
        },
      );
    }
    const used = COMMAND_HEAD_BYTES + length;
    if (end - at < used) return this.#want(used);
    const payload = bytes.subarray(at + COMMAND_HEAD_BYTES, at + used);
    if (type.name === 'POSTCOPY_RAM_DISCARD') checkDiscardPayload(payload);
    const values = isEmptyAllowed ? { pageSizeSummary: 0, targetPageSize: 0 } : type.decode(payload);
    const record = { name: type.name, ...values } as Command;
    this.#expect('section', 1);
    this.#sink.record(record, this.#recordOffset, used);
    if (record.name === 'PACKAGED' && this.#mode === 'section') this.#beginPackage(record.length);
    return used;
  }

  #beginPackage(lengthBytes: number): void {
    const limitBytes = this.#options.packageLimitBytes ?? PACKAGE_LIMIT_BYTES;
    if (lengthBytes > limitBytes) {
      throw new LimitError(
        'package-too-large',
        `expected a package of at most ${limitBytes} bytes, found ${lengthBytes}`,
      );
    }
    this.#packageBytes = lengthBytes;
    if (lengthBytes === 0) this.#sink.record({ name: 'PACKAGE', blob: new Uint8Array(0) }, this.#position, 0);
    else this.#expect('package', lengthBytes);
  }

  #package(bytes: Uint8Array, at: number): number {
    // A copy: `slice` of a Node buffer would be a view of input that is read over.
    const blob = new Uint8Array(bytes.subarray(at, at + this.#packageBytes));
    this.#expect('section', 1);
    this.#sink.record({ name: 'PACKAGE', blob }, this.#recordOffset, blob.length);
    return blob.length;
  }
}
