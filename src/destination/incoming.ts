// The deciding half of an incoming migration: checks every record and says what to do. No I/O, no clock, no thread.
import { MemoryMapError, ProtocolError, StateError, TransportError } from '../errors.ts';
import type { Command } from '../protocol/commands.ts';
import { NEGOTIATION_COOKIE } from '../protocol/negotiation-messages.ts';
import type { PageSizeField } from '../protocol/ram-record-decoder.ts';
import { type RamListEntry, TARGET_PAGE_BYTES } from '../protocol/ram-records.ts';
import { StreamDecoder, type StreamRecord, type StreamSink } from '../protocol/stream-decoder.ts';
import { checkConfiguration } from './configuration-checks.ts';
import type { FaultBoard } from './fault-board.ts';
import type { IncomingEffects, IncomingOptions, LoadItem } from './incoming-effects.ts';
import { nextPostcopyState, type PostcopyStateCell } from './incoming-states.ts';
import { checkKnownSection, deviceStateBytes } from './known-devices.ts';
import { decodePackage, type PackageRecord } from './package-records.ts';
import { PagePlacer } from './page-placer.ts';
import { PreemptIntake, type PreemptNews } from './preempt-intake.ts';
import { RamTally } from './ram-tally.ts';

/** An incoming migration. Feed it the channels' bytes. */
export class IncomingMigration implements StreamSink {
  /** Whether all has come, the guest runs, and SHUT was sent. */
  isComplete = false;
  tally: RamTally | undefined;
  readonly #options: IncomingOptions;
  readonly #effects: IncomingEffects;
  readonly #cell: PostcopyStateCell;
  readonly #board: FaultBoard;
  readonly #decoder: StreamDecoder;
  readonly #preempt: PreemptIntake | undefined;
  #placer: PagePlacer | undefined;
  #hasReturnPath = false;
  #hasRun = false;
  #summary = 0;
  #isGuestRunning = false;
  /** Whether `fail` has ended it: what still arrives then is nobody's. */
  #hasFailed = false;

  constructor(
    options: IncomingOptions,
    effects: IncomingEffects,
    shared: { cell: PostcopyStateCell; board: FaultBoard },
  ) {
    this.#options = options;
    this.#effects = effects;
    this.#cell = shared.cell;
    this.#board = shared.board;
    this.#decoder = new StreamDecoder(this, { profile: options.profile, begins: 'header', stream: 'main' });
    if (options.preempt) this.#preempt = new PreemptIntake(options.profile);
  }

  /** Whether the source knows the extension, so that it may be told a reason. */
  get isNegotiated(): boolean {
    return this.#decoder.extension;
  }

  /** Bytes of the main channel that were decoded. */
  get position(): number {
    return this.#decoder.position;
  }

  /** Whether something of the source is still to come, so that its silence is an error. */
  get awaitsSource(): boolean {
    return !this.#decoder.hasEnded || this.#preempt?.isAwaited === true;
  }

  /** Whether all is here but for what the preempt channel has to bring. */
  get awaitsPreempt(): boolean {
    return this.#decoder.hasEnded && this.#preempt?.isAwaited === true;
  }

  /** Takes bytes of the main channel, or nothing after `fail`. @throws MigrationError that ends the migration */
  push(input: Uint8Array, start: number, end: number): void {
    if (this.#hasFailed) return;
    this.#placer?.readAt(this.#effects.nowNs());
    this.#decoder.push(input, start, end);
  }

  /** The main channel has ended. @throws TransportError `truncated` unless EOF came before */
  end(): void {
    const partial = this.#placer?.partial;
    try {
      this.#decoder.end();
    } catch (error) {
      if (partial === undefined || !(error instanceof TransportError)) throw error;
      throw new TransportError(error.code, `${error.message}; ${partial}`, {
        offset: error.offset ?? 0,
        stream: 'main',
        rule: 'D16',
      });
    }
  }

  /** Takes bytes of the preempt channel, page records only, until all has come. @throws MigrationError */
  pushPreempt(input: Uint8Array, start: number, end: number): void {
    if (this.#hasFailed || this.isComplete) return;
    this.#preempt!.push(input, start, end, this.#effects.nowNs());
    this.#finishIfAllHasCome();
  }

  /** Another thread takes the preempt channel, and tells how far it is. @throws MigrationError that ends the migration */
  onPreemptNews(news: PreemptNews): void {
    if (this.#hasFailed || this.isComplete) return;
    this.#preempt!.follow(news);
    this.#finishIfAllHasCome();
  }

  /** The preempt channel has ended. @throws TransportError `truncated` unless all that it must bring has come */
  endPreempt(): void {
    this.#preempt!.end();
  }

  /** The loader has performed a run: the guest lives here now. */
  onGuestRunning(): void {
    if (this.#hasFailed) return;
    this.#isGuestRunning = true;
    this.#finishIfAllHasCome();
  }

  /** Moves the state after an error, drops half-received host pages and names the state that follows. */
  fail(): 'failed' | 'paused' {
    this.#hasFailed = true;
    this.#placer?.dropPartial();
    this.#preempt?.dropPartial();
    return this.#cell.advance('fail') as 'failed' | 'paused';
  }

  // The sink of the main channel.

  selectBlock(name: string): void {
    if (this.#placer === undefined) {
      throw new StateError('page-before-ram-list', 'expected the RAM list before any page, found a page');
    }
    this.#placer.selectBlock(name);
  }

  page(offset: number): void {
    this.#placer!.page(offset);
  }

  pageBytes(input: Uint8Array, start: number, end: number, at: number): void {
    this.#placer!.pageBytes(input, start, end, at);
  }

  zeroPage(offset: number, fill: number): void {
    this.#placer!.zeroPage(offset, fill);
  }

  endOfPayload(): void {}

  pageSizeField(block: string): { field: PageSizeField; summary: number } {
    const isAdvised = this.#cell.state === 'advise';
    const field = isAdvised ? this.#options.hostPages.fieldFor(block) : 'absent';
    return { field, summary: this.#summary };
  }

  deviceStateBytes(idstr: string, versionId: number): number | undefined {
    return deviceStateBytes(idstr, versionId);
  }

  ramList(entries: readonly RamListEntry[]): void {
    if (this.#placer !== undefined) {
      throw new StateError('ram-list-repeated', 'expected one RAM list, found another', {
        rule: 'D76',
        state: this.#cell.state,
      });
    }
    const isAdvised = this.#cell.state !== 'none';
    const blocks = this.#options.hostPages.checkList(entries, isAdvised ? this.#summary : undefined);
    const nowNs = (): number => this.#effects.nowNs();
    const { collapseNs, collapseSteps } = this.#options;
    const tally = new RamTally(this.#effects.createRam(blocks), { nowNs, collapseNs, collapseSteps });
    this.tally = tally;
    const placerOptions = {
      profile: this.#options.profile,
      board: this.#board,
      nowNs,
    };
    this.#placer = new PagePlacer(tally, placerOptions);
    this.#preempt?.begin(tally, new PagePlacer(tally, placerOptions));
  }

  record(record: StreamRecord, offset: number, lengthBytes: number): void {
    this.#take(record);
    this.#effects.record?.(record, offset, lengthBytes);
  }

  #take(record: StreamRecord): void {
    switch (record.name) {
      case 'CONFIGURATION':
      case 'TARGET_PAGE_BITS':
      case 'CAPABILITIES':
      case 'UUID':
        checkConfiguration(record, this.#options.machine, this.#effects);
        return;
      case 'SECTION_START':
      case 'SECTION_FULL':
        checkKnownSection(record, this.#options.acceptsUnknownDevices);
        return;
      case 'DEVICE_STATE':
        this.#effects.load([{ kind: 'device', device: record }]);
        return;
      case 'PACKAGE':
        this.#package(record.blob);
        return;
      case 'EOF':
        this.#endOfStream();
        return;
      case 'HEADER':
      case 'SECTION_PART':
      case 'SECTION_END':
      case 'SECTION_FOOTER':
      case 'VMDESCRIPTION':
        return; // the decoder has checked all there is to check
      default:
        this.#command(record);
    }
  }

  #command(command: Command): void {
    switch (command.name) {
      case 'OPEN_RETURN_PATH':
        this.#hasReturnPath = true; // a second one is tolerated (rule D23)
        return;
      case 'PING':
        this.#ping(command.value);
        return;
      case 'POSTCOPY_ADVISE':
        this.#advise(command);
        return;
      case 'POSTCOPY_RAM_DISCARD':
        this.#cell.advance('discard');
        this.#ramTally().discard(command.block, command.ranges);
        return;
      case 'POSTCOPY_LISTEN':
        this.#listen();
        return;
      case 'POSTCOPY_RUN':
        this.#effects.load([this.#takeRun()]);
        return;
      case 'PACKAGED':
        return; // the blob follows, as a record of its own
      case 'POSTCOPY_RESUME':
        this.#effects.warn('POSTCOPY_RESUME outside of a recovery');
        return;
      case 'RECV_BITMAP':
        if (this.tally?.find(command.block) === undefined) {
          throw new MemoryMapError(
            'unknown-block',
            `RECV_BITMAP: expected a block of ours, found '${command.block}'`,
            {
              rule: 'D55',
            },
          );
        }
        this.#effects.warn('RECV_BITMAP outside of a recovery');
        return;
      case 'SWITCHOVER_START':
        return; // needs no reaction (rule D57)
      case 'REASON':
        throw new TransportError('source-left', `the source left: ${command.text}`);
      default:
        throw new ProtocolError(
          'unsupported-command',
          `expected no ${command.name}: it is not supported here`,
        );
    }
  }

  #checkReturnPath(): void {
    if (this.#hasReturnPath) return;
    throw new StateError('no-return-path', 'expected OPEN_RETURN_PATH before PING, found PING', {
      rule: 'D22',
    });
  }

  #ping(value: number): void {
    this.#checkReturnPath();
    if (value === NEGOTIATION_COOKIE && this.#options.negotiate && this.#cell.state === 'none') {
      for (const answer of this.#options.hostPages.answers()) this.#effects.reply('HOST_PAGE', answer);
      this.#decoder.extension = true;
    }
    this.#effects.reply('PONG', { value });
  }

  #advise({ pageSizeSummary, targetPageSize }: { pageSizeSummary: number; targetPageSize: number }): void {
    this.#cell.advance('advise');
    this.#forgetEarlyPages();
    if (pageSizeSummary === 0 && targetPageSize === 0) {
      throw new ProtocolError('bad-advise', 'expected an ADVISE for RAM (16 bytes), found an empty one', {
        rule: 'D25',
      });
    }
    this.#options.hostPages.checkSummary(pageSizeSummary);
    if (targetPageSize !== TARGET_PAGE_BYTES) {
      throw new MemoryMapError(
        'target-page-differs',
        `Postcopy needs matching target page sizes (s=${targetPageSize} d=${TARGET_PAGE_BYTES})`,
        { rule: 'D30' },
      );
    }
    this.#summary = pageSizeSummary;
  }

  /** On ADVISE all RAM is empty (rule D32): QEMU throws away what came before it, and no source sends anything. */
  #forgetEarlyPages(): void {
    const { tally } = this;
    if (tally === undefined) return;
    if (this.#options.profile === 'strict') {
      throw new StateError('late-advise', 'expected ADVISE before the RAM list, found it after', {
        rule: 'S4',
      });
    }
    for (const { ram } of tally.blocks) tally.discard(ram.name, [{ start: 0, length: ram.lengthBytes }]);
  }

  #listen(): void {
    const tally = this.#ramTally();
    this.#cell.advance('listen');
    if (this.#options.profile === 'strict') tally.checkWholeHostPages();
    tally.isPostcopy = true;
    if (this.#preempt !== undefined && this.#effects.placeElsewhere?.(tally) === true) this.#preempt.leave();
  }

  #package(blob: Uint8Array): void {
    const records = decodePackage(blob, this.#options.profile, this.#options.acceptsUnknownDevices);
    const items: LoadItem[] = [];
    for (const record of records) {
      // LISTEN takes effect before anything else is loaded, so that pages can be placed meanwhile.
      if (record.name === 'POSTCOPY_LISTEN') this.#listen();
      else items.push(...this.#loadItems(record));
    }
    this.#effects.load(items);
  }

  #loadItems(record: PackageRecord): LoadItem[] {
    switch (record.name) {
      case 'PING':
        this.#checkReturnPath();
        return [{ kind: 'ping', value: record.value }];
      case 'POSTCOPY_RUN':
        return [this.#takeRun()];
      case 'DEVICE_STATE':
        return [{ kind: 'device', device: record }];
      default:
        return [];
    }
  }

  /** The loader runs the guest some time later; all that comes until then could pass before it finds a second RUN. */
  #takeRun(): LoadItem {
    nextPostcopyState(this.#hasRun ? 'running' : this.#cell.state, 'run');
    this.#hasRun = true;
    return { kind: 'run', event: 'run' };
  }

  #endOfStream(): void {
    const { state } = this.#cell;
    if (state === 'listening' && !this.#hasRun) {
      // Nothing would ever run the guest, and both ends would wait.
      const message = 'expected RUN before the end of the stream, found EOF';
      throw new StateError('end-before-run', message, { rule: 'S15', state });
    }
    if (state === 'listening' || state === 'running') {
      this.#decoder.ignoresRest = true;
    } else {
      // Checked before the guest runs: a precopy stream that lacks a page must not give it away.
      this.#checkComplete();
      this.#effects.load([{ kind: 'run', event: 'run-precopy' }]);
    }
    this.#finishIfAllHasCome();
  }

  /** SHUT only after the device state is loaded (rule D95), and after the preempt channel has ended (rule D103). */
  #finishIfAllHasCome(): void {
    if (this.isComplete || !this.#decoder.hasEnded || !this.#isGuestRunning) return;
    this.#preempt?.checkEnd();
    if (this.#preempt?.isAwaited === true) return;
    this.#checkComplete();
    this.#cell.advance('end');
    this.isComplete = true;
    if (this.#hasReturnPath) this.#effects.reply('SHUT', { value: 0 });
  }

  /** QEMU completes with pages missing (rule D85); here that is an error that names them, unless the profile copies it. */
  #checkComplete(): void {
    if (this.#options.profile !== 'strict') return;
    const partial = this.#placer?.partial ?? this.#preempt?.partial;
    if (partial !== undefined) {
      throw new StateError(
        'page-missing',
        `expected every host page whole before the end, found: ${partial}`,
        {
          rule: 'S33',
        },
      );
    }
    this.#ramTally().checkComplete();
  }

  #ramTally(): RamTally {
    if (this.tally !== undefined) return this.tally;
    throw new StateError('no-ram-list', 'expected the RAM list before this, found none', {
      state: this.#cell.state,
    });
  }
}
