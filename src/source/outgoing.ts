// The deciding half of an outgoing migration: what to send next, and what the return path means. No I/O, no clock.
import { LimitError, ProtocolError, StateError, TransportError } from '../errors.ts';
import type { RamImage } from '../machine/ram-block.ts';
import { hex } from '../protocol/bytes.ts';
import { encodeCommand } from '../protocol/commands.ts';
import { joinBytes } from '../protocol/message.ts';
import { NEGOTIATION_COOKIE } from '../protocol/negotiation-messages.ts';
import { RAM_BLOCK_LIMIT } from '../protocol/ram-record-decoder.ts';
import {
  encodeEos,
  encodeRamList,
  RAM_IDSTR,
  RAM_SECTION_VERSION,
  TARGET_PAGE_BYTES,
} from '../protocol/ram-records.ts';
import type { ReturnPathRecord } from '../protocol/return-path-decoder.ts';
import { encodeHeader, encodeSection } from '../protocol/sections.ts';
import { DowntimeEstimator, type PassEstimate } from '../telemetry/expected-downtime.ts';
import { type DeviceSection, describeDevices, encodeDevices } from './device-sections.ts';
import { discardCommands, roundToPlacementPages } from './dirty-rounding.ts';
import { type BlockPlacement, decidePlacement, type GuestPages, type HostPageAnswer } from './negotiation.ts';
import { nextOutgoingState, type OutgoingEvent, type OutgoingState } from './outgoing-states.ts';
import { PageOrder, type PlacedBlock } from './page-order.ts';
import { RecordBatch } from './record-batch.ts';
import { decideAfterPass, type PostcopyAfter } from './switchover-policy.ts';

/** The default host page: a block that has it carries no page size in the RAM list (rule S6). */
const DEFAULT_PAGE_BYTES = TARGET_PAGE_BYTES;
const RAM_SECTION_ID = 2;
/** QEMU's PING values; the negotiation cookie takes the place of the first. */
const PING = { SETUP: 1, BEFORE_PACKAGE: 2, IN_PACKAGE: 3, AFTER_PACKAGE: 4 } as const;

/** How to migrate. */
export interface OutgoingOptions {
  /** Machine type in the configuration section. */
  readonly machine: string;
  /** Whether postcopy may follow; without, nothing is advised and page sizes do not matter. */
  readonly postcopyRam: boolean;
  /** Whether to offer host page negotiation. */
  readonly negotiate: boolean;
  readonly postcopyAfter: PostcopyAfter;
  readonly downtimeLimitNs: number;
  readonly guest: GuestPages;
}

/** Why bytes are sent: a bandwidth limit applies to some of them only. */
export type SendClass = 'control' | 'precopy' | 'background' | 'requested';

/** What the driver is to do before it asks for the next step. */
export type OutgoingStep =
  | { readonly do: 'send'; readonly bytes: Uint8Array; readonly class: SendClass }
  | { readonly do: 'await-return-path'; readonly what: string; readonly isHere: () => boolean }
  | { readonly do: 'stop-guest' };

/** Counters of an outgoing migration. */
export interface OutgoingCounters {
  precopyPages: number;
  backgroundPages: number;
  requestedPages: number;
  zeroPages: number;
  /** Target pages in discards, and those of them that were sent and clean. */
  discardedPages: number;
  amplifiedPages: number;
  wireBytes: number;
}

/** An outgoing migration. Drive `run`, and give it the return path's records. */
export class OutgoingMigration {
  readonly counters: OutgoingCounters = {
    precopyPages: 0,
    backgroundPages: 0,
    requestedPages: 0,
    zeroPages: 0,
    discardedPages: 0,
    amplifiedPages: 0,
    wireBytes: 0,
  };
  /** Begin of each phase, in monotonic ns, in the order in which they came. */
  readonly phaseStartsNs = new Map<string, number>();
  /** The pages agreed on; empty until then. */
  placements: readonly BlockPlacement[] = [];
  /** Set by the driver when the guest has stopped. */
  devices: readonly DeviceSection[] = [];
  readonly #ram: RamImage;
  readonly #options: OutgoingOptions;
  readonly #batch = new RecordBatch();
  readonly #answers: HostPageAnswer[] = [];
  readonly #pings = new Set<number>();
  readonly #pongs = new Set<number>();
  #estimator: DowntimeEstimator | undefined;
  #order: PageOrder | undefined;
  #state: OutgoingState = 'setup';
  #hasGivenGuestAway = false;
  #isInsideRamPayload = false;
  /** Whether the stream stands inside a ram payload before and after the bytes of the last step. */
  #wireInsideBefore = false;
  #wireInsideAfter = false;
  #isEofOnItsWay = false;
  #shut: number | undefined;
  #nowNs = 0;

  constructor(ram: RamImage, options: OutgoingOptions) {
    this.#ram = ram;
    this.#options = options;
  }

  get state(): OutgoingState {
    return this.#state;
  }

  get passes(): readonly PassEstimate[] {
    return this.#estimator?.passes ?? [];
  }

  /** Requests that came over the return path. */
  get requestCount(): number {
    return this.#order?.requestCount ?? 0;
  }

  /** Whether the destination knows the extension, so that it may be told a reason. */
  get isNegotiated(): boolean {
    return this.#answers.length > 0;
  }

  /** Dirty target pages: what remains to be sent. */
  get remainingPages(): number {
    return this.#ram.blocks.reduce((sum, block) => sum + block.dirty.count(), 0);
  }

  /** Whether the destination may own the guest: then it must not go on at the source (rule S30). */
  get hasGivenGuestAway(): boolean {
    return this.#hasGivenGuestAway;
  }

  /** Moves to the next state. @throws StateError `bad-outgoing-event` */
  advance(event: OutgoingEvent): void {
    this.#state = nextOutgoingState(this.#state, event);
    if (event === 'package-leaves' || event === 'eof-leaves') this.#hasGivenGuestAway = true;
    if (event === 'refused') this.#hasGivenGuestAway = false;
  }

  /**
   * The bytes that tell a destination with the extension why we leave; undefined for any other. They follow what was
   * sent, and nothing may follow them. `isLastStepSent` tells whether that includes the bytes of the last step: inside
   * a ram payload REASON would be read as a page, and outside of it the end of a payload would be read as EOF.
   */
  farewell(reason: string, isLastStepSent: boolean): Uint8Array | undefined {
    if (!this.isNegotiated) return undefined;
    const command = encodeCommand('REASON', { text: reason });
    const isInside = isLastStepSent ? this.#wireInsideAfter : this.#wireInsideBefore;
    return isInside ? joinBytes([ramPayloadEnd(), command]) : command;
  }

  /**
   * The migration, step by step. Give each `next` the time in monotonic ns. Bytes of a step may be overwritten once
   * the next step is asked for. @throws MigrationError that ends the migration
   */
  *run(): Generator<OutgoingStep, void, number> {
    yield* this.#setUp();
    if (yield* this.#precopy()) yield* this.#postcopy();
    yield* this.#awaitReturnPath('SHUT', () => this.#shut !== undefined);
    this.advance('completed');
    this.#enterPhase('end');
  }

  /** Takes what came on the return path. @throws MigrationError for what makes it bad */
  onReturnPath(record: ReturnPathRecord): void {
    switch (record.name) {
      case 'PONG':
        this.#takePong(record.value);
        return;
      case 'HOST_PAGE':
        this.#takeAnswer(record);
        return;
      case 'REQ_PAGES_ID':
      case 'REQ_PAGES':
        this.#takeRequest('block' in record ? record.block : undefined, record.start, record.length);
        return;
      case 'SHUT':
        if (record.value !== 0) {
          throw new ProtocolError('destination-failed', `expected SHUT 0, found SHUT ${record.value}`, {
            rule: 'S29',
          });
        }
        if (!this.#isEofOnItsWay) {
          throw new StateError('early-shut', 'expected SHUT after EOF was sent, found it before', {
            state: this.#state,
            rule: 'D95',
          });
        }
        this.#shut = record.value;
        return;
      case 'REASON':
        this.#takeReason(record.text);
        return;
      case 'RESUME_ACK':
        if (record.value !== 1) {
          throw new ProtocolError('bad-resume-ack', `expected RESUME_ACK 1, found ${record.value}`, {
            rule: 'S38',
          });
        }
        return; // out of place it has no effect (rule S38)
      case 'SWITCHOVER_ACK':
        return; // nothing here waits for it
      default:
        throw new StateError(
          'bitmap-outside-recovery',
          `expected no ${record.name} outside of a recovery, found one`,
          {
            rule: 'S39',
          },
        );
    }
  }

  /** Each PING is answered once; in which order does not matter (rule S31). */
  #takePong(value: number): void {
    if (!this.#pings.has(value) || this.#pongs.has(value)) {
      const found = this.#pongs.has(value) ? 'a second one' : 'one';
      throw new ProtocolError(
        'unexpected-pong',
        `expected one PONG for each PING, found ${found} with ${hex(value)}`,
        { state: this.#state, rule: 'D22' },
      );
    }
    this.#pongs.add(value);
  }

  #takeAnswer(answer: HostPageAnswer): void {
    if (!this.#pings.has(NEGOTIATION_COOKIE)) {
      throw new StateError(
        'unexpected-host-page',
        'expected no HOST_PAGE before the cookie was sent, found one',
        {
          rule: 'N2',
        },
      );
    }
    if (this.#pongs.has(NEGOTIATION_COOKIE)) {
      throw new StateError(
        'late-host-page',
        'expected HOST_PAGE before the PONG that closes the list, found it after',
        {
          rule: 'N5',
        },
      );
    }
    if (this.#answers.length > RAM_BLOCK_LIMIT) {
      throw new LimitError(
        'too-many-host-pages',
        `expected at most ${RAM_BLOCK_LIMIT} HOST_PAGE messages, found more`,
        {
          rule: 'N4',
        },
      );
    }
    this.#answers.push(answer);
  }

  #takeRequest(block: string | undefined, start: number, lengthBytes: number): void {
    if (this.#order === undefined) {
      throw new StateError(
        'request-before-postcopy',
        'expected no page request before LISTEN was sent, found one',
        {
          state: this.#state,
        },
      );
    }
    this.#order.request(block, start, lengthBytes);
  }

  /**
   * The destination says why it leaves. PINGs of the package are answered in order and before RUN (rule D24), so a
   * reason that comes before the PONG of the package is from a destination that never ran the guest.
   */
  #takeReason(text: string): void {
    const ranGuest = this.#pongs.has(PING.IN_PACKAGE);
    if (this.#state === 'postcopy-active' && !ranGuest) this.advance('refused');
    throw new TransportError('destination-left', `the destination left: ${text}`, { state: this.#state });
  }

  *#setUp(): Generator<OutgoingStep, void, number> {
    this.#nowNs = yield* this.#send(
      joinBytes([
        encodeHeader(),
        encodeSection('CONFIGURATION', { machine: this.#options.machine }),
        encodeCommand('OPEN_RETURN_PATH', {}),
      ]),
    );
    this.#enterPhase('setup');
    const first = this.#options.negotiate && this.#options.postcopyRam ? NEGOTIATION_COOKIE : PING.SETUP;
    yield* this.#send(this.#ping(first));
    // An advising source that negotiates must know the answers first; QEMU's goes on without waiting for any PONG.
    if (first === NEGOTIATION_COOKIE) yield* this.#awaitReturnPath('PONG', () => this.#pongs.has(first));
    this.placements = decidePlacement(
      this.#ram.blocks.map((block) => block.spec),
      this.#answers,
      this.#options.guest,
    );
    if (this.#options.postcopyRam) {
      yield* this.#send(
        encodeCommand('POSTCOPY_ADVISE', {
          pageSizeSummary: this.#summary(),
          targetPageSize: TARGET_PAGE_BYTES,
        }),
      );
    }
    const list = this.#ram.blocks.map((block, index) => {
      const pageSize = this.placements[index]!.placementPageBytes;
      const entry = { block: block.name, length: block.lengthBytes };
      return this.#options.postcopyRam && pageSize !== DEFAULT_PAGE_BYTES ? { ...entry, pageSize } : entry;
    });
    yield* this.#send(
      joinBytes([
        encodeSection('SECTION_START', {
          sectionId: RAM_SECTION_ID,
          idstr: RAM_IDSTR,
          instanceId: 0,
          versionId: RAM_SECTION_VERSION,
        }),
        encodeRamList(list),
        ramPayloadEnd(),
      ]),
    );
    this.advance('agreed');
  }

  /** OR of the placement pages of all blocks (rule S3). They are powers of two, so adding the different ones is it. */
  #summary(): number {
    const sizes = new Set(this.placements.map((placement) => placement.placementPageBytes));
    return [...sizes].reduce((sum, size) => sum + size, 0);
  }

  /** Precopy passes; returns whether postcopy follows, else the migration is complete but for SHUT. */
  *#precopy(): Generator<OutgoingStep, boolean, number> {
    this.#enterPhase('precopy');
    for (const block of this.#ram.blocks) block.dirty.setRange(0, block.targetPageCount);
    const estimator = new DowntimeEstimator({
      startNs: this.#nowNs,
      initialDowntimeLimitNs: this.#options.downtimeLimitNs,
    });
    this.#estimator = estimator;
    this.#syncDirty(estimator);
    const policy = this.#options.postcopyRam ? this.#options.postcopyAfter : ({ kind: 'never' } as const);
    if (policy.kind !== 'immediately') {
      for (;;) {
        yield* this.#sendPass('SECTION_PART');
        estimator.onProgress({ nowNs: this.#nowNs, bytesSent: this.counters.wireBytes });
        this.#syncDirty(estimator);
        const next = decideAfterPass(policy, estimator.passes, TARGET_PAGE_BYTES);
        if (next === 'postcopy') break;
        if (next === 'complete') {
          yield* this.#completePrecopy();
          return false;
        }
      }
    }
    this.#nowNs = yield { do: 'stop-guest' };
    this.advance('guest-stopped');
    this.#enterPhase('device');
    this.#syncDirty();
    if (this.remainingPages === 0) {
      // A discard is what takes a QEMU destination on to LISTEN, and there is nothing to discard.
      yield* this.#finishPrecopy();
      return false;
    }
    return true;
  }

  /** Moves what the vCPUs have dirtied into the dirty bitmap. */
  #syncDirty(estimator?: DowntimeEstimator): void {
    let pagesDirtied = 0;
    for (const block of this.#ram.blocks) pagesDirtied += block.dirty.takeFrom(block.dirtyLog);
    estimator?.onSync({
      nowNs: this.#nowNs,
      remainingBytes: this.remainingPages * TARGET_PAGE_BYTES,
      pagesDirtied,
    });
  }

  *#sendPass(section: 'SECTION_PART' | 'SECTION_END'): Generator<OutgoingStep, void, number> {
    yield* this.#beginRamPayload(section, 'precopy');
    for (const block of this.#ram.blocks) {
      for (let page = block.dirty.nextSet(0); page !== -1; page = block.dirty.nextSet(page + 1)) {
        this.#appendPage(block, page);
        this.counters.precopyPages += 1;
        if (this.#batch.isFull) yield* this.#flush('precopy');
      }
    }
    yield* this.#endRamPayload('precopy');
    yield* this.#flush('precopy');
  }

  *#beginRamPayload(
    section: 'SECTION_PART' | 'SECTION_END',
    sendClass: SendClass,
  ): Generator<OutgoingStep, void, number> {
    yield* this.#write(encodeSection(section, { sectionId: RAM_SECTION_ID }), sendClass);
    this.#isInsideRamPayload = true;
  }

  *#endRamPayload(sendClass: SendClass): Generator<OutgoingStep, void, number> {
    yield* this.#write(ramPayloadEnd(), sendClass);
    this.#isInsideRamPayload = false;
  }

  *#completePrecopy(): Generator<OutgoingStep, void, number> {
    this.#nowNs = yield { do: 'stop-guest' };
    this.advance('guest-stopped');
    this.#enterPhase('device');
    this.#syncDirty();
    yield* this.#finishPrecopy();
  }

  /** The end of a plain precopy stream: the last pages, the devices, EOF and the description (wire section 1.5). */
  *#finishPrecopy(): Generator<OutgoingStep, void, number> {
    yield* this.#sendPass('SECTION_END');
    yield* this.#write(encodeDevices(this.devices));
    yield* this.#write(encodeSection('EOF', {}));
    // The destination runs the guest when it has read EOF, so it is given away before that byte can be on its way.
    this.advance('eof-leaves');
    this.#isEofOnItsWay = true;
    yield* this.#send(encodeSection('VMDESCRIPTION', { json: describeDevices(this.devices) }));
  }

  /** Steps 7 to 12 of the order of a postcopy migration (wire section 4.1). */
  *#postcopy(): Generator<OutgoingStep, void, number> {
    const blocks: PlacedBlock[] = this.#ram.blocks.map((ram, index) => ({
      ram,
      placementPageBytes: this.placements[index]!.placementPageBytes,
    }));
    for (const { ram, placementPageBytes } of blocks) {
      this.counters.amplifiedPages += roundToPlacementPages(ram, placementPageBytes);
      for (const command of discardCommands(ram)) yield* this.#write(command);
    }
    this.counters.discardedPages = this.remainingPages;
    this.#batch.forgetBlock();
    yield* this.#write(this.#ping(PING.BEFORE_PACKAGE));
    yield* this.#flush('control');
    // Requests may come as soon as LISTEN has arrived, which is the first thing in the package.
    const order = new PageOrder(blocks);
    this.#order = order;
    this.advance('package-leaves');
    yield* this.#send(this.#package());
    yield* this.#send(this.#ping(PING.AFTER_PACKAGE));
    this.#enterPhase('postcopy-active');
    yield* this.#beginRamPayload('SECTION_PART', 'background');
    for (let unit = order.next(); unit !== undefined; unit = order.next()) {
      const sendClass = unit.isRequested ? 'requested' : 'background';
      for (let page = unit.firstPage; page < unit.firstPage + unit.pageCount; page += 1) {
        this.#appendPage(unit.block.ram, page);
        if (this.#batch.isFull) yield* this.#flush(sendClass);
      }
      if (unit.isRequested) this.counters.requestedPages += unit.pageCount;
      else this.counters.backgroundPages += unit.pageCount;
      // A vCPU waits for it, and a batch that already holds some of it must not wait for more.
      if (unit.isRequested || order.hasRequests) yield* this.#flush(sendClass);
    }
    yield* this.#endRamPayload('background');
    yield* this.#write(
      joinBytes([encodeSection('SECTION_END', { sectionId: RAM_SECTION_ID }), ramPayloadEnd()]),
    );
    this.#isEofOnItsWay = true;
    yield* this.#write(encodeSection('EOF', {}));
    yield* this.#flush('control');
    this.#enterPhase('await-shut');
  }

  #package(): Uint8Array {
    const blob = joinBytes([
      encodeCommand('POSTCOPY_LISTEN', {}),
      encodeDevices(this.devices),
      this.#ping(PING.IN_PACKAGE),
      encodeCommand('POSTCOPY_RUN', {}),
    ]);
    return joinBytes([encodeCommand('PACKAGED', { length: blob.length }), blob]);
  }

  #ping(value: number): Uint8Array {
    this.#pings.add(value);
    return encodeCommand('PING', { value });
  }

  /** Clean first, copied then: a write in between is logged again, the other way round it would be lost. */
  #appendPage(block: RamImage['blocks'][number], page: number): void {
    block.dirty.clear(page);
    block.sent.set(page);
    if (this.#batch.appendPage(block, page)) this.counters.zeroPages += 1;
  }

  *#write(bytes: Uint8Array, sendClass: SendClass = 'control'): Generator<OutgoingStep, void, number> {
    if (this.#batch.hasRoomFor(bytes.length)) {
      this.#batch.append(bytes);
      return;
    }
    yield* this.#flush(sendClass);
    if (this.#batch.hasRoomFor(bytes.length)) this.#batch.append(bytes);
    else yield* this.#emit(bytes, sendClass);
  }

  *#send(bytes: Uint8Array): Generator<OutgoingStep, number, number> {
    yield* this.#write(bytes);
    yield* this.#flush('control');
    return this.#nowNs;
  }

  *#flush(sendClass: SendClass): Generator<OutgoingStep, void, number> {
    if (!this.#batch.isEmpty) yield* this.#emit(this.#batch.take(), sendClass);
  }

  *#emit(bytes: Uint8Array, sendClass: SendClass): Generator<OutgoingStep, void, number> {
    this.counters.wireBytes += bytes.length;
    this.#wireInsideBefore = this.#wireInsideAfter;
    this.#wireInsideAfter = this.#isInsideRamPayload;
    this.#nowNs = yield { do: 'send', bytes, class: sendClass };
    if (sendClass === 'precopy') {
      this.#estimator?.onProgress({ nowNs: this.#nowNs, bytesSent: this.counters.wireBytes });
    }
  }

  *#awaitReturnPath(what: string, isHere: () => boolean): Generator<OutgoingStep, void, number> {
    if (!isHere()) this.#nowNs = yield { do: 'await-return-path', what, isHere };
  }

  #enterPhase(name: string): void {
    this.phaseStartsNs.set(name, this.#nowNs);
  }
}

/** EOS and footer, which end the payload of every ram section. */
function ramPayloadEnd(): Uint8Array {
  return joinBytes([encodeEos(), encodeSection('SECTION_FOOTER', { sectionId: RAM_SECTION_ID })]);
}
