// Places what one channel brings into guest RAM: each host page becomes visible as a whole, or not at all.
import { MemoryMapError, ProtocolError, StateError } from '../errors.ts';
import { PAGE_ORIGIN } from '../machine/page-origins.ts';
import { PAGE_STATE } from '../machine/page-state.ts';
import { pagesIn } from '../machine/ram-memory.ts';
import { hex } from '../protocol/bytes.ts';
import type { Profile } from '../protocol/profile.ts';
import { TARGET_PAGE_BYTES } from '../protocol/ram-records.ts';
import type { FaultBoard } from './fault-board.ts';
import type { BlockTally, RamTally } from './ram-tally.ts';

/** What a placer needs from around it. */
export interface PlacerOptions {
  readonly profile: Profile;
  readonly board: FaultBoard;
  /** Monotonic ns. */
  readonly nowNs: () => number;
}

/** The host page that is under way on a channel. */
interface OpenPage {
  readonly block: BlockTally;
  readonly hostPage: number;
  /** Page records that came for it: what QEMU counts (rule D81). */
  recordCount: number;
  readonly firstByteNs: number;
}

/**
 * Places the pages of one channel. Bytes go straight to their place: a host page that is not present is out of reach
 * of every vCPU, so nobody sees it half full, and no temporary page of up to 16 GiB is needed.
 */
export class PagePlacer {
  readonly #tally: RamTally;
  readonly #options: PlacerOptions;
  #block: BlockTally | undefined;
  #page = 0;
  /** Whether bytes of the target page begun last are still to come. */
  #isBodyOpen = false;
  #open: OpenPage | undefined;
  /** When the bytes that are being decoded were read from the channel; 0 if nobody said. */
  #readNs = 0;

  constructor(tally: RamTally, options: PlacerOptions) {
    this.#tally = tally;
    this.#options = options;
  }

  /** The bytes that follow were read from the channel at this time. */
  readAt(nowNs: number): void {
    this.#readNs = nowNs;
  }

  /** @throws MemoryMapError `unknown-block` */
  selectBlock(name: string): void {
    const block = this.#tally.find(name);
    if (block === undefined) {
      throw new MemoryMapError('unknown-block', `expected a RAM block of ours, found '${name}'`, {
        rule: 'D70',
      });
    }
    this.#block = block;
  }

  /** Begins a target page. @throws MigrationError if it may not come now or here */
  page(offset: number): void {
    const block = this.#block!;
    if (offset >= block.ram.lengthBytes) {
      throw new MemoryMapError(
        'offset-beyond-block',
        `block '${block.ram.name}': expected an offset below ${hex(block.ram.lengthBytes)}, found ${hex(offset)}`,
        { rule: 'D71' },
      );
    }
    this.#page = pagesIn(offset);
    if (this.#tally.isPostcopy) this.#join(block);
    this.#isBodyOpen = true;
  }

  /** Copies bytes of the page begun last to where they belong. */
  pageBytes(input: Uint8Array, start: number, end: number, at: number): void {
    const block = this.#block!;
    // Between two pieces of a page another channel may have placed its host page.
    if (at > 0 && this.#open !== undefined) this.#checkNotPlaced(this.#open);
    block.ram.copyIn(this.#page * TARGET_PAGE_BYTES + at, input, start, end);
    if (at + end - start !== TARGET_PAGE_BYTES) return;
    block.ram.origins?.noteData(Math.floor(this.#page / block.pagesPerHostPage));
    this.#complete(block);
  }

  /** A page of equal bytes. @throws ProtocolError `bad-zero-page` for another byte than 0, unless the profile is 7.2 */
  zeroPage(offset: number, fill: number): void {
    this.page(offset);
    const block = this.#block!;
    if (fill !== 0) {
      if (this.#options.profile !== '7.2') {
        throw new ProtocolError('bad-zero-page', `expected the fill byte 0, found ${hex(fill, 2)}`, {
          rule: 'D72',
        });
      }
      this.#tally.zeroPages += 1;
      block.ram.origins?.noteData(Math.floor(this.#page / block.pagesPerHostPage));
      block.ram.copyIn(offset, new Uint8Array(TARGET_PAGE_BYTES).fill(fill), 0, TARGET_PAGE_BYTES);
    } else {
      this.#tally.zeroPages += 1;
      // Memory that was never received is zero already, and writing to it would only commit it.
      if (block.ram.received.test(this.#page) && !block.ram.isZeroPage(this.#page)) {
        block.ram.zeroTargetPage(this.#page);
      }
    }
    this.#complete(block);
  }

  /** Throws away what came of a host page that never became whole (rule D97). */
  dropPartial(): void {
    const open = this.#open;
    this.#open = undefined;
    // What the other channel has placed is the guest's.
    if (open === undefined || open.block.ram.pageState(open.hostPage) === PAGE_STATE.PRESENT) return;
    if (this.#isBodyOpen) open.block.ram.zeroTargetPage(this.#page);
    open.block.ram.dropPartial(open.hostPage);
    open.block.forget(open.hostPage, 1);
  }

  /** Names the host page that is under way, for messages. */
  get partial(): string | undefined {
    const open = this.#open;
    if (open === undefined) return undefined;
    return `${describe(open.block, open.hostPage)} has ${open.recordCount} of ${open.block.pagesPerHostPage} target pages`;
  }

  /** Postcopy: the record must belong to the host page under way, or begin one that is not present. */
  #join(block: BlockTally): void {
    const hostPage = Math.floor(this.#page / block.pagesPerHostPage);
    const open = this.#open;
    if (open === undefined) {
      this.#begin(block, hostPage);
    } else if (open.hostPage !== hostPage || open.block !== block) {
      throw new StateError(
        'host-page-split',
        `expected the rest of ${describe(open.block, open.hostPage)}, of which ${open.recordCount} of ${open.block.pagesPerHostPage} target pages have come, found ${describe(block, hostPage)}`,
        { rule: 'D79' },
      );
    } else if (this.#options.profile !== 'strict') {
      // Strict has no need of it: whoever places a page has sent each of its target pages, and none may come again.
      this.#checkNotPlaced(open);
    }
    if (this.#options.profile === 'strict' && block.ram.received.test(this.#page)) {
      this.#tally.duplicatePages += 1;
      throw new StateError(
        'target-page-repeated',
        `expected each target page of ${describe(block, hostPage)} once, found the one at offset ${hex(this.#page * TARGET_PAGE_BYTES)} again`,
        { rule: 'D81' },
      );
    }
  }

  /** Refuses to go on with a host page that the other channel has placed meanwhile: a vCPU may have written it. */
  #checkNotPlaced({ block, hostPage }: OpenPage): void {
    if (block.ram.pageState(hostPage) !== PAGE_STATE.PRESENT) return;
    this.#open = undefined;
    this.#refusePresent(block, hostPage);
  }

  #refusePresent(block: BlockTally, hostPage: number): never {
    this.#tally.duplicatePages += 1;
    throw new StateError(
      'page-already-present',
      `expected each page once, found ${describe(block, hostPage)} again`,
      { rule: 'D83' },
    );
  }

  #begin(block: BlockTally, hostPage: number): void {
    const state = block.ram.pageState(hostPage);
    if (state === PAGE_STATE.PRESENT || !block.begin(hostPage)) this.#refusePresent(block, hostPage);
    // Reading the clock costs as much as placing a small page, so only pages that somebody may wait for are timed.
    const isTimed = block.pagesPerHostPage > 1 || state === PAGE_STATE.REQUESTED;
    this.#open = { block, hostPage, recordCount: 0, firstByteNs: isTimed ? this.#options.nowNs() : 0 };
  }

  #complete(block: BlockTally): void {
    this.#isBodyOpen = false;
    const hostPage = Math.floor(this.#page / block.pagesPerHostPage);
    const isNew = block.ram.received.set(this.#page);
    const isWhole = isNew && block.countReceived(hostPage);
    if (!this.#tally.isPostcopy) {
      this.#tally.precopyPages += 1;
      if (!isWhole) return;
      block.ram.origins?.note(hostPage, PAGE_ORIGIN.PRECOPY);
      block.publish(hostPage, false);
      return;
    }
    const open = this.#open!;
    open.recordCount += 1;
    // Counting records as QEMU does, or pages: the same, unless repeats were let through by the profile.
    if (open.recordCount === block.pagesPerHostPage) this.#place(open);
  }

  #place({ block, hostPage, firstByteNs }: OpenPage): void {
    this.#open = undefined;
    const isRequested = block.ram.pageState(hostPage) === PAGE_STATE.REQUESTED;
    if (isRequested) {
      const placedNs = this.#options.nowNs();
      this.#options.board.placed(block.index, hostPage, {
        firstByteNs: firstByteNs || placedNs,
        lastBytesNs: this.#readNs || placedNs,
        placedNs,
      });
    }
    block.ram.origins?.note(hostPage, isRequested ? PAGE_ORIGIN.REQUESTED : PAGE_ORIGIN.PUSHED);
    block.publish(hostPage, true);
    if (isRequested) {
      this.#tally.requestedPages += block.pagesPerHostPage;
    } else {
      this.#tally.backgroundPages += block.pagesPerHostPage;
      block.pushed.set(hostPage);
    }
  }
}

function describe(block: BlockTally, hostPage: number): string {
  return `host page ${hostPage} of block '${block.ram.name}' (offset ${hex(hostPage * block.ram.hostPageBytes)})`;
}
