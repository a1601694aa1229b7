// RAM as a vCPU sees it: numbered pages, a fault on a missing one, a dirty log.

import { GuestError } from '../errors.ts';
import { PAGE_STATE } from './page-state.ts';
import type { RamBlock, RamImage } from './ram-block.ts';
import { SEGMENT_PAGES_LOG2, TARGET_PAGE_WORDS } from './ram-memory.ts';
import type { SharedBitmap } from './shared-bitmap.ts';

/** Called when a vCPU touches a host page that is not present. Blocks until it is present, or throws. */
export type FaultHandler = (block: RamBlock, hostPage: number) => void;

/** What a vCPU's view of RAM needs. */
export interface GuestMemoryOptions {
  readonly image: RamImage;
  readonly onFault: FaultHandler;
  /** Whether writes go to the dirty log: at a source always, at a destination never. */
  readonly tracksDirty: boolean;
}

/** A block with all that an access needs, at hand. */
interface MappedBlock {
  readonly block: RamBlock;
  readonly firstPage: number;
  readonly endPage: number;
  readonly states: Int32Array;
  /** log2 of the target pages in a host page; page numbers stay below 2^32, so `>>>` is exact. */
  readonly hostPageShift: number;
  readonly segments: readonly Uint32Array[];
  readonly dirtyLog: SharedBitmap;
}

const SEGMENT_PAGE_MASK = 2 ** SEGMENT_PAGES_LOG2 - 1;

/** The RAM of all blocks as one row of target pages, in the order of the RAM list, as one vCPU accesses it. */
export class GuestMemory {
  /** Target pages of all blocks. */
  readonly pageCount: number;
  /** May be wrapped by who watches faults. */
  onFault: FaultHandler;
  readonly #tracksDirty: boolean;
  readonly #blocks: readonly MappedBlock[];
  #mapped: MappedBlock;
  #words: Uint32Array;
  #firstWord = 0;
  #pageInBlock = 0;

  /** Throws GuestError `no-ram` for an image without blocks. */
  constructor({ image, onFault, tracksDirty }: GuestMemoryOptions) {
    this.#blocks = mapBlocks(image);
    const [first] = this.#blocks;
    if (first === undefined) throw new GuestError('no-ram', 'a guest needs at least one RAM block, got none');
    this.pageCount = this.#blocks.at(-1)!.endPage;
    this.onFault = onFault;
    this.#tracksDirty = tracksDirty;
    this.#mapped = first;
    this.#words = first.segments[0]!;
  }

  /**
   * Reads word `wordIndex` of target page `page`; the host page is present afterwards.
   *
   * May block or throw in the fault handler; nothing has changed then, so the access can be done again.
   */
  access(page: number, wordIndex: number): number {
    let mapped = this.#mapped;
    if (page < mapped.firstPage || page >= mapped.endPage) mapped = this.#map(page);
    const pageInBlock = page - mapped.firstPage;
    const hostPage = pageInBlock >>> mapped.hostPageShift;
    // Atomic, so that the words read below are those that were there when the page was published.
    if (Atomics.load(mapped.states, hostPage) !== PAGE_STATE.PRESENT) this.#fault(mapped, hostPage);
    const words = mapped.segments[pageInBlock >>> SEGMENT_PAGES_LOG2]!;
    const firstWord = (pageInBlock & SEGMENT_PAGE_MASK) * TARGET_PAGE_WORDS;
    this.#words = words;
    this.#firstWord = firstWord;
    this.#pageInBlock = pageInBlock;
    return words[firstWord + wordIndex]!;
  }

  /**
   * Writes word `wordIndex` of the page accessed last.
   *
   * The word first, its dirty bit after: in the other order a bitmap sync could take the bit, and the page be sent,
   * before the word is written, and the write would be lost. And the bit is set even if it seems to be set already:
   * the atomic `or` also drains the write from this CPU's store buffer, which a mere look at the bit would not.
   */
  store(wordIndex: number, value: number): void {
    this.#words[this.#firstWord + wordIndex] = value;
    if (this.#tracksDirty) this.#mapped.dirtyLog.set(this.#pageInBlock);
  }

  #map(page: number): MappedBlock {
    const mapped = this.#blocks.find(({ firstPage, endPage }) => page >= firstPage && page < endPage);
    if (mapped === undefined) {
      throw new GuestError(
        'bad-guest-page',
        `the guest has ${this.pageCount} pages, it touched page ${page}`,
      );
    }
    this.#mapped = mapped;
    return mapped;
  }

  #fault({ block, states }: MappedBlock, hostPage: number): void {
    this.onFault(block, hostPage);
    if (Atomics.load(states, hostPage) !== PAGE_STATE.PRESENT) {
      throw new GuestError(
        'fault-unresolved',
        `host page ${hostPage} of RAM block '${block.name}' is still missing after its fault was handled`,
      );
    }
  }
}

function mapBlocks(image: RamImage): MappedBlock[] {
  let firstPage = 0;
  return image.blocks.map((block) => {
    const mapped: MappedBlock = {
      block,
      firstPage,
      endPage: firstPage + block.targetPageCount,
      states: new Int32Array(block.shared.pageStates),
      hostPageShift: Math.log2(block.targetPagesPerHostPage),
      segments: Array.from({ length: block.segmentCount }, (_, segment) => block.words(segment)),
      dirtyLog: block.dirtyLog,
    };
    firstPage = mapped.endPage;
    return mapped;
  });
}
