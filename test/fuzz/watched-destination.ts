// An incoming core that is watched: every page it takes, every write to RAM, every state, every reply.
import { FaultBoard } from '../../src/destination/fault-board.ts';
import { type HostPageOptions, HostPages } from '../../src/destination/host-pages.ts';
import { IncomingMigration } from '../../src/destination/incoming.ts';
import type { IncomingEffects, IncomingOptions, LoadItem } from '../../src/destination/incoming-effects.ts';
import {
  type PostcopyEvent,
  type PostcopyState,
  PostcopyStateCell,
} from '../../src/destination/incoming-states.ts';
import { GUEST_IDSTR, VCPU_IDSTR } from '../../src/destination/known-devices.ts';
import { MemoryMapError } from '../../src/errors.ts';
import { decodeGuestDescription } from '../../src/machine/guest-description.ts';
import { PAGE_STATE } from '../../src/machine/page-state.ts';
import type { RamBlock, RamBlockSpec, RamImage } from '../../src/machine/ram-block.ts';
import { decodeVcpuState } from '../../src/machine/vcpu-state.ts';
import type { ReturnPathName } from '../../src/protocol/return-path-messages.ts';
import type { StreamRecord } from '../../src/protocol/stream-records.ts';
import { hold } from './fuzz-target.ts';
import { PageModel } from './page-model.ts';
import { checksum, freshRam } from './ram-pool.ts';

/** The moves of wire section 4.2, written down once more, so that a change of the product's table shows. */
const LEGAL_MOVES: ReadonlySet<string> = new Set([
  ...['none advise advise', 'none run-precopy running', 'none fail failed'],
  ...[
    'advise discard discard',
    'advise listen listening',
    'advise run-precopy running',
    'advise fail failed',
  ],
  ...['discard discard discard', 'discard listen listening', 'discard fail failed'],
  ...['listening run running', 'listening fail failed'],
  ...['running end end', 'running fail paused'],
]);

/** A machine of the fuzzer has no more RAM than this; a stream may announce any. */
const RAM_LIMIT_BYTES = 64 * 2 ** 20;

class WatchedCell extends PostcopyStateCell {
  readonly moves: string[] = [];

  override advance(event: PostcopyEvent): PostcopyState {
    const before = this.state;
    const after = super.advance(event);
    const move = `${before} ${event} ${after}`;
    hold(LEGAL_MOVES.has(move) && this.state === after, 'legal states', () => `${move}, then ${this.state}`);
    this.moves.push(move);
    return after;
  }
}

class WatchedMigration extends IncomingMigration {
  model: PageModel | undefined;

  override selectBlock(name: string): void {
    super.selectBlock(name);
    this.model?.main.selectBlock(name);
  }

  override page(offset: number): void {
    super.page(offset);
    this.model?.main.page(offset);
  }

  override pageBytes(input: Uint8Array, start: number, end: number, at: number): void {
    super.pageBytes(input, start, end, at);
    this.model?.main.pageBytes(input, start, end, at);
  }

  override zeroPage(offset: number, fill: number): void {
    super.zeroPage(offset, fill);
    this.model?.main.zeroPage(offset, fill);
  }

  override record(record: StreamRecord, offset: number, lengthBytes: number): void {
    super.record(record, offset, lengthBytes);
    if (record.name === 'POSTCOPY_RAM_DISCARD') this.model?.discard(record.block, record.ranges);
    if (record.name === 'POSTCOPY_ADVISE') this.model?.forgetAll();
  }
}

/** How to watch it. */
export interface WatchedOptions extends Omit<IncomingOptions, 'hostPages'> {
  readonly hostPages: HostPageOptions;
  /** Whether the loader works at once, and not when it is told. */
  readonly loadsAtOnce: boolean;
}

/** The core under watch, its driver and its loader. */
export class WatchedDestination {
  readonly migration: WatchedMigration;
  readonly cell = new WatchedCell();
  /** All that it told, in order. */
  readonly said: string[] = [];
  image: RamImage | undefined;
  /** Bytes that were written to RAM. */
  #writtenBytes = 0;
  readonly #options: WatchedOptions;
  readonly #queue: LoadItem[] = [];
  #nowNs = 0;

  constructor(options: WatchedOptions) {
    this.#options = options;
    this.migration = new WatchedMigration(
      { ...options, hostPages: new HostPages(options.hostPages) },
      this.#effects(),
      { cell: this.cell, board: FaultBoard.allocate(1) },
    );
  }

  #effects(): IncomingEffects {
    return {
      reply: (name, values) => this.#reply(name, values),
      createRam: (blocks) => this.#createRam(blocks),
      load: (items) => {
        this.#queue.push(...items);
        if (this.#options.loadsAtOnce) this.load();
      },
      warn: (message) => this.said.push(`warning: ${message}`),
      nowNs: () => ++this.#nowNs,
    };
  }

  /** Performs what waits to be loaded. @throws MigrationError of a device that cannot be */
  load(): void {
    for (const item of this.#queue.splice(0)) {
      if (item.kind === 'device') {
        this.said.push(`load ${item.device.idstr}`);
        if (item.device.idstr === GUEST_IDSTR) decodeGuestDescription(item.device.payload);
        if (item.device.idstr === VCPU_IDSTR) decodeVcpuState(item.device.payload);
      } else if (item.kind === 'ping') {
        this.said.push(`PONG ${item.value} of the package`);
      } else {
        this.cell.advance(item.event);
        this.said.push(item.event);
        this.migration.onGuestRunning();
      }
    }
  }

  /** A vCPU finds a page missing, and waits for it. */
  claim(index: number): void {
    const blocks = this.image?.blocks ?? [];
    if (blocks.length === 0 || this.cell.state !== 'running') return;
    const block = blocks[index % blocks.length]!;
    block.claim((index >> 4) % block.hostPageCount);
  }

  /** The bytes, states and bits of RAM, and what was said, to compare two runs. */
  snapshot(): string[] {
    const blocks = (this.image?.blocks ?? []).map(({ name, shared }) => {
      const [states, received] = [shared.pageStates, shared.received].map((memory) =>
        checksum(new Uint8Array(memory)),
      );
      return `${name}: states ${states}, received ${received}`;
    });
    const { tally, isComplete } = this.migration;
    const counted = tally && [
      tally.precopyPages,
      tally.backgroundPages,
      tally.requestedPages,
      tally.duplicatePages,
    ];
    return [
      ...this.said,
      ...this.cell.moves,
      ...blocks,
      ...(this.migration.model?.contents() ?? []),
      `complete ${isComplete}, counted ${counted}, wrote ${this.#writtenBytes}`,
    ];
  }

  #reply(name: ReturnPathName, values: object): void {
    const { value } = values as { value?: number };
    hold(!this.said.includes('SHUT 0'), 'SHUT is the last word', () => `${name} after it`);
    if (name === 'HOST_PAGE') {
      hold(this.#options.negotiate, 'answers what was asked', () => 'HOST_PAGE without the extension');
    } else if (name === 'SHUT') {
      hold(
        this.migration.isComplete && this.cell.state === 'end',
        'SHUT after all',
        () => `SHUT in ${this.cell.state}`,
      );
    }
    this.said.push(`${name} ${value ?? JSON.stringify(values)}`);
  }

  /** Strict: complete is what has every page, exactly once since it was discarded. */
  #holdWhole(): void {
    if (this.#options.profile !== 'strict') return;
    const missing = this.migration.model?.firstMissing();
    hold(missing === undefined, 'complete with every page', () => `without ${missing}`);
  }

  /**
   * What holds at any end: complete is whole, and what is present is what was sent. Not of precopy that broke off: then
   * a page that comes again may be half overwritten, and nobody will ever run there.
   */
  holdAtEnd(): void {
    const { migration, image } = this;
    if (migration.isComplete) this.#holdWhole();
    if (image === undefined || migration.model === undefined) return;
    if (!(migration.isComplete || migration.tally?.isPostcopy === true)) return;
    migration.model.holdPresent(image, this.#options.profile === 'strict');
  }

  /** What holds after `fail`: a host page that never became whole has left nothing. */
  holdDropped(): void {
    if (this.migration.tally?.isPostcopy !== true || this.#options.profile !== 'strict') return;
    for (const block of this.image?.blocks ?? []) {
      const { targetPagesPerHostPage: count } = block;
      for (let page = block.received.nextSet(0); page !== -1; page = block.received.nextSet(page + 1)) {
        const hostPage = Math.floor(page / count);
        const isPresent = block.pageState(hostPage) === PAGE_STATE.PRESENT;
        hold(isPresent, 'partial pages dropped', () => `target page ${page} of ${block.name} is kept`);
      }
    }
  }

  #createRam(specs: readonly RamBlockSpec[]): RamImage {
    const totalBytes = specs.reduce((sum, spec) => sum + spec.lengthBytes, 0);
    if (totalBytes > RAM_LIMIT_BYTES) throw new MemoryMapError('cannot-allocate', `${totalBytes} bytes`);
    const image = freshRam(specs);
    for (const block of image.blocks) this.#watch(block);
    this.image = image;
    this.migration.model = new PageModel(
      image,
      this.#options.profile,
      () => this.migration.tally?.isPostcopy === true,
    );
    return image;
  }

  /** Nothing but the guest writes to a page that is present, once it may run. */
  #watch(block: RamBlock): void {
    const { copyIn, zeroTargetPage, publish, discardRange } = block;
    const holdHidden = (offset: number, what: string): void => {
      const isInside = offset >= 0 && offset < block.lengthBytes;
      hold(isInside, 'inside RAM', () => `${what} at ${offset} of ${block.name}`);
      if (this.migration.tally?.isPostcopy !== true) return;
      const isPresent = block.pageState(Math.floor(offset / block.hostPageBytes)) === PAGE_STATE.PRESENT;
      hold(!isPresent, 'no write to a present page', () => `${what} at ${offset} of ${block.name}`);
    };
    block.copyIn = (offset, chunk, start, end) => {
      holdHidden(offset, 'a copy');
      holdHidden(offset + end - start - 1, 'a copy');
      this.#writtenBytes += end - start;
      copyIn.call(block, offset, chunk, start, end);
    };
    block.zeroTargetPage = (page) => {
      holdHidden(page * 4096, 'zeros');
      this.#writtenBytes += 4096;
      zeroTargetPage.call(block, page);
    };
    block.publish = (hostPage) => {
      hold(hostPage >= 0 && hostPage < block.hostPageCount, 'inside RAM', () => `host page ${hostPage}`);
      const before = publish.call(block, hostPage);
      const isTwice = before === PAGE_STATE.PRESENT && this.migration.tally?.isPostcopy === true;
      hold(!isTwice, 'no page placed twice', () => `host page ${hostPage} of ${block.name}`);
      return before;
    };
    block.discardRange = (start, length) => {
      hold(
        this.migration.tally?.isPostcopy !== true,
        'no discard once pages flow',
        () => `${start}+${length}`,
      );
      discardRange.call(block, start, length);
    };
  }
}
