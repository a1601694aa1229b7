// The deciding half of an outgoing migration: what to send next, and what the return path means. No I/O, no clock.
import { StateError, TransportError } from '../errors.ts';
import type { RamImage } from '../machine/ram-block.ts';
import { encodeCommand } from '../protocol/commands.ts';
import { joinBytes } from '../protocol/message.ts';
import { NEGOTIATION_COOKIE } from '../protocol/negotiation-messages.ts';
import { encodeEos, TARGET_PAGE_BYTES } from '../protocol/ram-records.ts';
import type { ReturnPathRecord } from '../protocol/return-path-decoder.ts';
import { type ConfigurationSubsection, encodeSection } from '../protocol/sections.ts';
import { DowntimeEstimator, type PassEstimate } from '../telemetry/expected-downtime.ts';
import { REQUEST_LOG_LIMIT } from '../telemetry/request-record.ts';
import { type DeviceSection, describeDevices, encodeDevices } from './device-sections.ts';
import { DirtyHistory } from './dirty-history.ts';
import { discardCommands, roundToPlacementPages } from './dirty-rounding.ts';
import { type FlightLimit, FlightWindow } from './flight-window.ts';
import { type BlockPlacement, checkPlacements, type GuestPages, wantedPlacements } from './negotiation.ts';
import { nextOutgoingState, type OutgoingEvent, type OutgoingState } from './outgoing-states.ts';
import { type OutgoingCounters, OutgoingStream, type Steps, zeroCounters } from './outgoing-stream.ts';
import { PageClaims } from './page-claims.ts';
import { appendDirtyPages } from './page-feed.ts';
import { PageOrder, type PlacedBlock } from './page-order.ts';
import { PingLog } from './ping-log.ts';
import { sendPages } from './postcopy-pages.ts';
import type { DirtyLine } from './push/dirty-line.ts';
import { type PushCounts, type PushOptions, PushPhase } from './push/push-phase.ts';
import { ANSWERED_PAGE_BYTES, type AnsweredCounts } from './request-answers.ts';
import { RequestLog } from './request-log.ts';
import { ReturnPathIntake } from './return-path-intake.ts';
import {
  encodeAdvise,
  encodePackage,
  encodePreamble,
  encodeRamStart,
  PING,
  RAM_SECTION_ID,
  ramPayloadEnd,
} from './setup-records.ts';
import { decideAfterPass, type PostcopyAfter } from './switchover-policy.ts';

/** How to migrate. */
export interface OutgoingOptions {
  /** Machine type in the configuration section. */
  readonly machine: string;
  /** Subsections of the configuration, of a recorded machine that had any. */
  readonly configuration?: readonly ConfigurationSubsection[];
  /** Description of the devices that ends a precopy stream, as recorded; without one it is made from the devices. */
  readonly vmDescription?: string | undefined;
  /** Whether postcopy may follow; without, nothing is advised and page sizes do not matter. */
  readonly postcopyRam: boolean;
  /** Whether to offer host page negotiation. */
  readonly negotiate: boolean;
  readonly postcopyAfter: PostcopyAfter;
  readonly downtimeLimitNs: number;
  /** Background pages leave in batches of about so many bytes, between which requests are served; default 512 KiB. */
  readonly backgroundBatchBytes?: number;
  readonly guest: GuestPages;
  /** What is sent unasked after the switchover; without it `forward`, as QEMU does. */
  readonly push?: PushOptions;
  /** Whether requested pages have a channel of their own, and when it is opened: 7.2 and 10.x differ in that. */
  readonly preempt: 'none' | 'at-setup' | 'at-switchover';
  /** With a preempt channel: whether a background page under way is interrupted by a request. */
  readonly breaksHugePages: boolean;
  /** How many background bytes may be under way. */
  readonly flight: FlightLimit;
  /** Whether to note what each request waits for. */
  readonly logsRequests?: boolean;
}

/** An outgoing migration. Drive `run`, and give it the return path's records. */
export class OutgoingMigration {
  /** Begin of each phase, in monotonic ns, in the order in which they came. */
  readonly phaseStartsNs = new Map<string, number>();
  /** The pages agreed on; empty until then. */
  placements: readonly BlockPlacement[] = [];
  /** Set by the driver when the guest has stopped. */
  devices: readonly DeviceSection[] = [];
  /** Set by a driver that has a thread to answer requests on the preempt channel: what that has sent so far. */
  answered: AnsweredCounts | undefined;
  /** Requests, and what they waited for. */
  readonly requests: RequestLog;
  readonly pings = new PingLog();
  readonly #ram: RamImage;
  readonly #options: OutgoingOptions;
  readonly #stream = new OutgoingStream('main', zeroCounters());
  /** Undefined without a preempt channel. */
  readonly #preemptStream: OutgoingStream | undefined;
  readonly #flight: FlightWindow;
  readonly #returnPath = new ReturnPathIntake({
    onRequest: (block, start, lengthBytes) => this.#takeRequest(block, start, lengthBytes),
    onReason: (text) => this.#takeReason(text),
    onPong: (value) => this.#flight.onPong(value, this.#nowNs),
  });
  readonly #push: PushPhase;
  /** What the guest dirties in precopy, if the push asks for it. */
  #history: DirtyHistory | undefined;
  /** When the return path was heard last, and when the first PING left. */
  #nowNs = 0;
  #firstPingNs = 0;
  #estimator: DowntimeEstimator | undefined;
  #order: PageOrder | undefined;
  #state: OutgoingState = 'setup';
  #hasGivenGuestAway = false;
  #isSwitchAsked = false;
  #isPushPaused = false;

  constructor(ram: RamImage, options: OutgoingOptions) {
    this.#ram = ram;
    this.#options = options;
    this.#push = new PushPhase(options.push ?? { strategy: 'forward' });
    this.#flight = new FlightWindow(options.flight);
    this.requests = new RequestLog(options.logsRequests === true ? REQUEST_LOG_LIMIT : 0);
    if (options.preempt !== 'none')
      this.#preemptStream = new OutgoingStream('preempt', this.#stream.counters);
  }

  get state(): OutgoingState {
    return this.#state;
  }

  get counters(): Readonly<OutgoingCounters> {
    const { counters } = this.#stream;
    if (this.answered === undefined) return counters;
    const { pages, zeroPages, bytes } = this.answered;
    return {
      ...counters,
      requestedPages: counters.requestedPages + pages,
      zeroPages: counters.zeroPages + zeroPages,
      wireBytes: counters.wireBytes + bytes,
    };
  }

  get passes(): readonly PassEstimate[] {
    return this.#estimator?.passes ?? [];
  }

  /** Requests that came over the return path. */
  get requestCount(): number {
    return this.#order?.requestCount ?? 0;
  }

  /** Round trips of PINGs: of the first one, and of those that bound the background. */
  get roundTripsNs(): readonly number[] {
    return this.#flight.roundTripsNs;
  }

  /** What came of the push; undefined before postcopy. */
  get pushCounts(): PushCounts | undefined {
    return this.#push.counts;
  }

  /** Whether the destination knows the extension, so that it may be told a reason. */
  get isNegotiated(): boolean {
    return this.#returnPath.answers.length > 0;
  }

  /** Dirty target pages: what remains to be sent. */
  get remainingPages(): number {
    return this.#ram.blocks.reduce((sum, block) => sum + block.dirty.count(), 0);
  }

  /** Whether the destination may own the guest: then it must not go on at the source (rule S30). */
  get hasGivenGuestAway(): boolean {
    return this.#hasGivenGuestAway;
  }

  /** Whether it is in precopy and may go on to postcopy: then `switchNow` has an effect. */
  get maySwitch(): boolean {
    return this.#options.postcopyRam && (this.#state === 'setup' || this.#state === 'active');
  }

  /** Ends precopy with the batch that is under way, and goes on to postcopy, whatever the policy. */
  switchNow(): void {
    if (this.maySwitch) this.#isSwitchAsked = true;
  }

  /** Sends nothing unasked after the switchover, or goes on with it. A page under way is finished. */
  pausePush(isPaused: boolean): void {
    this.#isPushPaused = isPaused;
    if (this.#order !== undefined) this.#order.isPushPaused = isPaused;
  }

  /** Moves to the next state. @throws StateError `bad-outgoing-event` */
  advance(event: OutgoingEvent): void {
    this.#state = nextOutgoingState(this.#state, event);
    if (event === 'package-leaves' || event === 'eof-leaves') this.#hasGivenGuestAway = true;
    if (event === 'refused') this.#hasGivenGuestAway = false;
  }

  /**
   * The bytes that tell a destination with the extension why we leave; undefined for any other. They follow what was
   * sent, and nothing may follow them. `isLastStepSent` tells whether that includes the bytes of the last step.
   */
  farewell(reason: string, isLastStepSent: boolean): Uint8Array | undefined {
    if (!this.isNegotiated) return undefined;
    const command = encodeCommand('REASON', { text: reason });
    return this.#stream.isInsideRamPayload(isLastStepSent) ? joinBytes([ramPayloadEnd(), command]) : command;
  }

  /**
   * The migration, step by step. Give each `next` the time in monotonic ns. Bytes of a step may be overwritten once
   * the next step is asked for. @throws MigrationError that ends the migration
   */
  *run(): Steps {
    // Beside the main channel, which is connected first: a 7.2 destination tells them apart by that (rule S40).
    if (this.#options.preempt === 'at-setup') yield* this.#stream.perform({ do: 'open-preempt' });
    yield* this.#setUp();
    if (yield* this.#precopy()) yield* this.#postcopy();
    yield* this.#awaitReturnPath('SHUT', () => this.#returnPath.hasShut);
    this.advance('completed');
    this.#enterPhase('end');
  }

  /** Takes what came on the return path, at the time given in monotonic ns. @throws MigrationError for what makes it bad */
  onReturnPath(record: ReturnPathRecord, nowNs: number): void {
    this.#nowNs = nowNs;
    this.#returnPath.take(record);
    if (record.name === 'PONG') this.pings.answered(record.value, nowNs);
    const isFirstPong = record.name === 'PONG' && this.#order === undefined && this.#firstPingNs > 0;
    if (isFirstPong) this.#flight.onRoundTrip(nowNs - this.#firstPingNs);
  }

  /**
   * The destination has ended the return path: the error that this is, or undefined after the migration. A precopy
   * destination tells SHUT once the guest runs, so one that ends in order without it never ran the guest, which then
   * goes on here, as with QEMU. After a cut nobody knows, and it does not.
   */
  onReturnPathEnd(): TransportError | undefined {
    // QEMU closes right after SHUT, and both may be read before the next step is asked for.
    if (this.#returnPath.hasShut) return undefined;
    if (this.#state === 'handed-over') this.advance('refused');
    return new TransportError('peer-closed', 'the destination closed the connection before SHUT', {
      state: this.#state,
    });
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
    this.#order.request(block, start, lengthBytes, this.#nowNs);
  }

  /**
   * The destination says why it leaves. PINGs of the package are answered in order and before RUN (rule D24), so a
   * reason that comes before the PONG of the package is from a destination that never ran the guest (rule N14).
   */
  #takeReason(text: string): void {
    const ranGuest = this.#returnPath.hasPong(PING.IN_PACKAGE);
    const isRefusal = this.#state === 'handed-over' || (this.#state === 'postcopy-active' && !ranGuest);
    if (isRefusal) this.advance('refused');
    throw new TransportError('destination-left', `the destination left: ${text}`, { state: this.#state });
  }

  *#setUp(): Steps {
    const { machine, configuration, postcopyRam, guest } = this.#options;
    const stream = this.#stream;
    yield* stream.send(encodePreamble(machine, configuration));
    this.#enterPhase('setup');
    const first = this.#firstPing;
    this.#firstPingNs = stream.nowNs;
    yield* stream.send(this.#ping(first));
    // An advising source that negotiates must know the answers first; QEMU's goes on without waiting for any PONG.
    if (first === NEGOTIATION_COOKIE)
      yield* this.#awaitReturnPath('PONG', () => this.#returnPath.hasPong(first));
    const specs = this.#ram.blocks.map((block) => block.spec);
    this.placements = wantedPlacements(specs, this.#returnPath.answers);
    checkPlacements(specs, this.placements, guest);
    if (postcopyRam) yield* stream.send(encodeAdvise(this.placements));
    yield* stream.send(encodeRamStart(this.#ram.blocks, this.placements, postcopyRam));
    this.advance('agreed');
  }

  /** Precopy passes; returns whether postcopy follows, else the migration is complete but for SHUT. */
  *#precopy(): Steps<boolean> {
    this.#enterPhase('precopy');
    for (const block of this.#ram.blocks) block.dirty.setRange(0, block.targetPageCount);
    if (this.#push.needsHistory) this.#history = new DirtyHistory(this.#placedBlocks());
    this.#estimator = new DowntimeEstimator({
      startNs: this.#stream.nowNs,
      initialDowntimeLimitNs: this.#options.downtimeLimitNs,
    });
    this.#syncDirty(this.#estimator);
    const next = yield* this.#passes(this.#estimator);
    if (next === 'postcopy' && this.#options.preempt === 'at-switchover') {
      // Only when the main channel is known to work, or the destination could take the one for the other (rule S41).
      yield* this.#awaitReturnPath('PONG', () => this.#returnPath.hasPong(this.#firstPing));
      yield* this.#stream.perform({ do: 'open-preempt' });
    }
    yield* this.#stopGuest();
    // A discard is what takes a QEMU destination on to LISTEN, so without anything to discard precopy is complete too.
    if (next === 'postcopy' && this.remainingPages > 0) return true;
    yield* this.#finishPrecopy();
    return false;
  }

  /** Passes until the policy has had enough of them. */
  *#passes(estimator: DowntimeEstimator): Steps<'complete' | 'postcopy'> {
    const policy = this.#options.postcopyRam ? this.#options.postcopyAfter : ({ kind: 'never' } as const);
    if (policy.kind === 'immediately') return 'postcopy';
    for (;;) {
      yield* this.#sendPass('SECTION_PART', estimator);
      // What the rest of the pass would have sent is dirty still, and the guest is stopped before the next sync.
      if (this.#isSwitchAsked) return 'postcopy';
      this.#syncDirty(estimator);
      const next = decideAfterPass(policy, estimator.passes, TARGET_PAGE_BYTES);
      if (next !== 'another-pass') return next;
    }
  }

  *#stopGuest(): Steps {
    yield* this.#stream.perform({ do: 'stop-guest' });
    this.advance('guest-stopped');
    this.#enterPhase('device');
    this.#syncDirty();
  }

  /** Moves what the vCPUs have dirtied into the dirty bitmap. */
  #syncDirty(estimator?: DowntimeEstimator): void {
    let pagesDirtied = 0;
    const history = this.#history;
    history?.beginSync();
    for (const [index, block] of this.#ram.blocks.entries()) {
      const note = history && ((page: number, bits: number) => history.note(index, page, bits));
      pagesDirtied += block.dirty.takeFrom(block.dirtyLog, note);
    }
    const remainingBytes = this.remainingPages * TARGET_PAGE_BYTES;
    estimator?.onSync({ nowNs: this.#stream.nowNs, remainingBytes, pagesDirtied });
  }

  *#sendPass(section: 'SECTION_PART' | 'SECTION_END', estimator?: DowntimeEstimator): Steps {
    const stream = this.#stream;
    yield* stream.beginRamPayload(section, 'precopy');
    for (const block of this.#ram.blocks) {
      let page = appendDirtyPages(stream, block, 0);
      while (page !== -1 && !(this.#isSwitchAsked && section === 'SECTION_PART')) {
        yield* stream.flush('precopy');
        estimator?.onProgress({ nowNs: stream.nowNs, bytesSent: stream.counters.wireBytes });
        page = appendDirtyPages(stream, block, page);
      }
    }
    yield* stream.endRamPayload('precopy');
    yield* stream.flush('precopy');
    estimator?.onProgress({ nowNs: stream.nowNs, bytesSent: stream.counters.wireBytes });
  }

  /** The end of a plain precopy stream: the last pages, the devices, EOF and the description (wire section 1.5). */
  *#finishPrecopy(): Steps {
    const stream = this.#stream;
    yield* this.#sendPass('SECTION_END');
    yield* stream.write(encodeDevices(this.devices));
    yield* stream.write(encodeSection('EOF', {}));
    // The destination runs the guest when it has read EOF, so it is given away before that byte can be on its way.
    this.advance('eof-leaves');
    this.#returnPath.expectShut();
    const json = this.#options.vmDescription ?? describeDevices(this.devices);
    yield* stream.send(encodeSection('VMDESCRIPTION', { json }));
  }

  /** Steps 7 to 12 of the order of a postcopy migration (wire section 4.1). */
  *#postcopy(): Steps {
    const stream = this.#stream;
    const blocks = this.#placedBlocks();
    for (const { ram, placementPageBytes } of blocks) {
      stream.counters.amplifiedPages += roundToPlacementPages(ram, placementPageBytes);
      for (const command of discardCommands(ram)) yield* stream.write(command);
    }
    stream.counters.discardedPages = this.remainingPages;
    stream.forgetBlock();
    yield* stream.send(this.#ping(PING.BEFORE_PACKAGE));
    // Requests may come as soon as LISTEN has arrived, which is the first thing in the package.
    const claims = this.#claimsOf(blocks);
    const { requests, pings } = this;
    const strategy = (line: DirtyLine) => this.#push.strategyFor(line, this.#history);
    const order = new PageOrder(blocks, strategy, { claims, log: requests });
    order.isPushPaused = this.#isPushPaused;
    this.#order = order;
    if (claims !== undefined) {
      const placementPageBytes = blocks.map((block) => block.placementPageBytes);
      yield* stream.perform({ do: 'begin-answers', placementPageBytes, claims: claims.shared });
    }
    this.advance('package-leaves');
    yield* stream.send(encodePackage(this.devices, this.#ping(PING.IN_PACKAGE)));
    yield* stream.send(this.#ping(PING.AFTER_PACKAGE));
    this.#enterPhase('postcopy-active');
    this.#push.begin(order, stream.nowNs);
    const { backgroundBatchBytes, breaksHugePages, preempt } = this.#options;
    const preemptStream = this.#preemptStream;
    // What another thread does not answer is under way here, or no page to be sent.
    const preemptHere = claims === undefined ? preemptStream : undefined;
    const channels = { main: stream, preempt: preemptHere, breaksHugePages };
    const [flight, push] = [this.#flight, this.#push];
    yield* sendPages({ ...channels, order, flight, push, requests, pings, backgroundBatchBytes });
    if (claims !== undefined) yield* stream.perform({ do: 'end-answers' });
    yield* stream.write(encodeSection('SECTION_END', { sectionId: RAM_SECTION_ID }));
    yield* stream.write(ramPayloadEnd());
    this.#returnPath.expectShut();
    yield* stream.send(encodeSection('EOF', {}));
    // A 7.2 destination waits for it before it says SHUT; a newer one wants none (rules S40, S41).
    if (preempt === 'at-setup') yield* preemptStream!.send(encodeEos());
    this.#enterPhase('await-shut');
  }

  /** What two threads share the pages by, if another answers requests and all pages are small enough for it. */
  #claimsOf(blocks: readonly PlacedBlock[]): PageClaims | undefined {
    const areSmall = blocks.every((block) => block.placementPageBytes <= ANSWERED_PAGE_BYTES);
    return this.answered !== undefined && areSmall ? PageClaims.allocate(blocks) : undefined;
  }

  #placedBlocks(): PlacedBlock[] {
    return this.#ram.blocks.map((ram, index) => ({
      ram,
      placementPageBytes: this.placements[index]!.placementPageBytes,
      hostPageBytes: this.placements[index]!.destinationHostPageBytes,
    }));
  }

  /** Value of the PING at set-up. */
  get #firstPing(): number {
    const { negotiate, postcopyRam } = this.#options;
    return negotiate && postcopyRam ? NEGOTIATION_COOKIE : PING.SETUP;
  }

  #ping(value: number): Uint8Array {
    this.#returnPath.expectPong(value);
    this.pings.sent(value, this.#stream.nowNs);
    return encodeCommand('PING', { value });
  }

  *#awaitReturnPath(what: string, isHere: () => boolean): Steps {
    if (!isHere()) yield* this.#stream.perform({ do: 'await-return-path', what, isHere });
  }

  #enterPhase(name: string): void {
    this.phaseStartsNs.set(name, this.#stream.nowNs);
  }
}
