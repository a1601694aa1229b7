// Decodes a migration stream, source to destination, as a push parser of sections and commands.
import { LimitError, ProtocolError, TransportError } from '../errors.ts';
import { hex } from './bytes.ts';
import { Carry } from './carry.ts';
import { COMMAND_SECTION } from './commands.ts';
import { DeviceStateCollector } from './device-state.ts';
import { locate } from './locate.ts';
import { parseCommand } from './parse-command.ts';
import { HEADER_BYTES, parseConfiguration, parseHeader, parseSubsection } from './parse-configuration.ts';
import { parseSection } from './parse-section.ts';
import type { Parsed } from './parsed.ts';
import { RamRecordDecoder } from './ram-record-decoder.ts';
import { RAM_IDSTR } from './ram-records.ts';
import { SECTIONS, type SectionRecord, SUBSECTION } from './sections.ts';
import type { AnnouncedSection, StreamOptions, StreamRecord, StreamSink } from './stream-records.ts';

export type { StreamOptions, StreamRecord, StreamSink } from './stream-records.ts';

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

const PACKAGE_LIMIT_BYTES = 64 * 1024 * 1024;
const FOOTER_BYTES = 5;

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
  readonly #announced: Map<number, AnnouncedSection>;
  #mode: Mode;
  #wanted: number;
  /** Offset in the stream of the byte that comes next. */
  #position = 0;
  #recordOffset = 0;
  #sectionId = 0;
  #device: DeviceStateCollector | undefined;
  #packageBytes = 0;
  #eofSeen = false;
  /** What was thrown: bytes behind it have no meaning, so it is thrown again. */
  #failure: { readonly error: unknown } | undefined;

  constructor(sink: StreamSink, options: StreamOptions) {
    this.#sink = sink;
    this.#options = options;
    this.#announced = new Map(options.announced);
    this.#ram = new RamRecordDecoder(sink);
    this.#mode = options.begins === 'header' ? 'header' : 'section';
    this.#wanted = options.begins === 'header' ? HEADER_BYTES : 1;
  }

  /** Sections announced so far, by their ids. */
  get announced(): ReadonlyMap<number, AnnouncedSection> {
    return this.#announced;
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

  /** Offset in the stream, in bytes, at which the record that is being decoded begins. */
  get recordOffset(): number {
    return this.#mode === 'ram' ? this.#ram.recordOffset : this.#recordOffset;
  }

  /** Stops: all further input is counted and ignored. A package ends so after RUN (rule D49). */
  stop(): void {
    this.#mode = 'ended';
  }

  /**
   * Decodes `input[start..end)`.
   *
   * @throws MigrationError with offset and stream for a record it must refuse; from then on the same, whatever comes
   */
  push(input: Uint8Array, start = 0, end = input.length): void {
    if (this.#failure !== undefined) throw this.#failure.error;
    let at = start;
    try {
      while ((at < end || this.#carry.length >= this.#wanted) && this.#mode !== 'ended') {
        const used = this.#step(input, at, end);
        at += used;
        this.#position += used;
      }
    } catch (error) {
      this.#failure = { error: locate(error, { offset: this.recordOffset, stream: this.#options.stream }) };
      throw this.#failure.error;
    }
    this.#position += end - at;
  }

  /**
   * Tells that the input has ended.
   *
   * @throws TransportError `truncated` unless EOF came before or the decoder was stopped
   */
  end(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
    if (this.#mode === 'ended' || (this.#eofSeen && this.isBetweenRecords)) return;
    const { what, found } = this.#unfinished();
    throw new TransportError('truncated', `expected ${what}, found the end of the stream${found}`, {
      offset: this.#position,
      stream: this.#options.stream,
      rule: this.#mode === 'package' ? 'D50' : 'D16',
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
      case 'subsection':
        if (held !== '') return { what: 'a subsection of the configuration', found: held };
        return { what: 'a section, a command or EOF', found: held };
      case 'section':
        return { what: 'a section, a command or EOF', found: held };
      default:
        return { what: `the ${this.#mode}`, found: held };
    }
  }

  #step(input: Uint8Array, at: number, end: number): number {
    if (this.#mode === 'ram') {
      const next = this.#ram.consume(input, at, end, this.#position);
      if (this.#ram.ended && this.#mode === 'ram') this.#expect('footer', FOOTER_BYTES);
      return next - at;
    }
    if (this.#mode === 'device') return this.#deviceState(input, at, end);
    this.#recordOffset = this.#position - this.#carry.length;
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
        return this.#take(parseHeader(bytes, at), 'configuration');
      case 'configuration':
        return this.#take(parseConfiguration(bytes, at, end), 'subsection');
      case 'subsection':
        if (bytes[at] === SUBSECTION) return this.#take(parseSubsection(bytes, at, end), 'subsection');
        this.#expect('section', 1);
        return this.#section(bytes, at, end);
      case 'footer':
        return this.#footer(bytes, at);
      case 'package':
        return this.#package(bytes, at);
      default:
        return this.#section(bytes, at, end);
    }
  }

  /** Hands on what was parsed and goes to the mode `next`, or waits for the bytes that are missing. */
  #take(parsed: Parsed<StreamRecord>, next: Mode): number {
    if (parsed.record === undefined) return this.#want(parsed.wantedBytes);
    this.#expect(next, 1);
    this.#sink.record(parsed.record, this.#recordOffset, parsed.usedBytes);
    return parsed.usedBytes;
  }

  #section(bytes: Uint8Array, at: number, end: number): number {
    const code = bytes[at]!;
    if (this.#eofSeen && (this.ignoresRest || code !== SECTIONS.VMDESCRIPTION.code)) {
      this.stop();
      return 1;
    }
    if (code === COMMAND_SECTION) return this.#command(bytes, at, end);
    const parsed = parseSection(bytes, at, end, this.#eofSeen);
    if (parsed.record === undefined) return this.#want(parsed.wantedBytes);
    const { record } = parsed;
    if (record.name === 'EOF') this.#eofSeen = true;
    if (record.name === 'SECTION_PART' || record.name === 'SECTION_END') this.#checkAnnounced(record);
    const used = this.#take(parsed, 'section');
    if (record.name === 'VMDESCRIPTION') this.stop();
    else if ('sectionId' in record && this.#mode === 'section') this.#beginPayload(record, used);
    return used;
  }

  #checkAnnounced({ name, sectionId }: { name: string; sectionId: number }): void {
    if (this.#announced.has(sectionId)) return;
    const message = `${name}: expected the id of an announced section, found ${sectionId}`;
    throw new ProtocolError('unknown-section-id', message, { rule: 'D13' });
  }

  #beginPayload(record: SectionRecord & { sectionId: number }, headBytes: number): void {
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
    this.#recordOffset += headBytes;
  }

  #deviceState(input: Uint8Array, start: number, end: number): number {
    const { at, payload, rest } = this.#device!.collect(input, start, end);
    if (payload === undefined) return at - start;
    const { idstr, instanceId, versionId } = this.#announced.get(this.#sectionId)!;
    this.#expect('footer', FOOTER_BYTES);
    // Bytes of the footer that came with earlier input; they are less than a footer and the head of a section.
    if (rest !== undefined) this.#carry.topUp(rest, 0, rest.length, rest.length);
    const record = { sectionId: this.#sectionId, idstr, instanceId, versionId, payload };
    this.#sink.record({ name: 'DEVICE_STATE', ...record }, this.#recordOffset, payload.length);
    return at - start;
  }

  #footer(bytes: Uint8Array, at: number): number {
    const type = SECTIONS.SECTION_FOOTER;
    const { sectionId } = type.decode(bytes.subarray(at + 1, at + FOOTER_BYTES));
    if (bytes[at] !== type.code || sectionId !== this.#sectionId) {
      const found = bytes[at] === type.code ? `one of section ${sectionId}` : hex(bytes[at]!, 2);
      const message = `expected the footer of section ${this.#sectionId}, found ${found}`;
      throw new ProtocolError('bad-footer', message, { rule: 'D15' });
    }
    return this.#take({ record: { name: type.name, sectionId }, usedBytes: FOOTER_BYTES }, 'section');
  }

  #command(bytes: Uint8Array, at: number, end: number): number {
    const { profile } = this.#options;
    const parsed = parseCommand(bytes, at, end, { profile, extension: this.extension });
    const used = this.#take(parsed, 'section');
    if (parsed.record?.name === 'PACKAGED' && this.#mode === 'section') {
      this.#beginPackage(parsed.record.length, used);
    }
    return used;
  }

  #beginPackage(lengthBytes: number, commandBytes: number): void {
    const limitBytes = this.#options.packageLimitBytes ?? PACKAGE_LIMIT_BYTES;
    if (lengthBytes > limitBytes) {
      throw new LimitError(
        'package-too-large',
        `expected a package of at most ${limitBytes} bytes, found ${lengthBytes}`,
      );
    }
    this.#packageBytes = lengthBytes;
    if (lengthBytes > 0) {
      this.#expect('package', lengthBytes);
      return;
    }
    const offset = this.#recordOffset + commandBytes;
    this.#sink.record({ name: 'PACKAGE', blob: new Uint8Array(0) }, offset, 0);
  }

  #package(bytes: Uint8Array, at: number): number {
    const blob = bytes.slice(at, at + this.#packageBytes);
    return this.#take({ record: { name: 'PACKAGE', blob }, usedBytes: blob.length }, 'section');
  }
}
