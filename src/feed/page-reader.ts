// Reads what became of the pages of one block out of shared memory, at either end.
import { PAGE_ORIGIN } from '../machine/page-origins.ts';
import { PAGE_STATE } from '../machine/page-state.ts';
import type { RamBlock } from '../machine/ram-block.ts';
import { TARGET_PAGE_BYTES } from '../machine/ram-memory.ts';
import { FEED_PAGE, type FeedPage } from './page-runs.ts';

/** The pages of one block, for a picture of them: nobody is held up by it, so it may be a moment old. */
export interface PageReader {
  readonly block: string;
  /** Bytes of one entry. */
  readonly unit: number;
  readonly count: number;
  /** What all entries are before anything has happened. */
  readonly initial: FeedPage;
  /** Writes the states of entries from `from` on to `into`, until that is full. */
  read(from: number, into: Uint8Array): void;
}

/** A block is shown in at least so many entries where its target pages allow it. */
const LEAST_ENTRIES = 4096;
const PAGES_PER_WORD = 32;
const ALL = -1;

/** The unit that a block is shown in: its placement page, or a part of it where those are few. */
export function shownUnit(lengthBytes: number, placementPageBytes: number): number {
  let unit = placementPageBytes;
  while (unit > TARGET_PAGE_BYTES && lengthBytes / unit < LEAST_ENTRIES) unit /= 2;
  return unit;
}

const PRESENT_CODES: Readonly<Record<number, number>> = {
  [PAGE_ORIGIN.NONE]: FEED_PAGE.PRECOPY,
  [PAGE_ORIGIN.PRECOPY]: FEED_PAGE.PRECOPY,
  [PAGE_ORIGIN.PUSHED]: FEED_PAGE.PUSHED,
  [PAGE_ORIGIN.REQUESTED]: FEED_PAGE.BY_REQUEST,
  [PAGE_ORIGIN.DISCARDED]: FEED_PAGE.PRECOPY,
};

/** Pages at a destination. */
export class DestinationPages implements PageReader {
  readonly initial = FEED_PAGE.MISSING;
  readonly block: string;
  readonly unit: number;
  readonly count: number;
  readonly #ram: RamBlock;
  readonly #pagesPerEntry: number;
  readonly #entriesPerHostPage: number;

  constructor(ram: RamBlock) {
    this.#ram = ram;
    this.block = ram.name;
    this.unit = shownUnit(ram.lengthBytes, ram.hostPageBytes);
    this.count = ram.lengthBytes / this.unit;
    this.#pagesPerEntry = this.unit / TARGET_PAGE_BYTES;
    this.#entriesPerHostPage = ram.hostPageBytes / this.unit;
  }

  read(from: number, into: Uint8Array): void {
    const states = this.#ram.stateWords;
    const origins = this.#ram.origins;
    const perHostPage = this.#entriesPerHostPage;
    const isSmall = this.#ram.targetPagesPerHostPage === 1;
    for (let index = 0; index < into.length; index += 1) {
      const hostPage = perHostPage === 1 ? from + index : Math.floor((from + index) / perHostPage);
      const state = states[hostPage];
      if (state === PAGE_STATE.PRESENT) {
        into[index] =
          origins === undefined
            ? FEED_PAGE.PRECOPY
            : origins.isZero(hostPage)
              ? FEED_PAGE.ZERO
              : PRESENT_CODES[origins.origin(hostPage)]!;
      } else if (!isSmall && this.#hasCome(from + index)) {
        into[index] = FEED_PAGE.ARRIVING;
      } else if (state === PAGE_STATE.REQUESTED) {
        into[index] = FEED_PAGE.REQUESTED;
      } else {
        const isDiscarded = origins?.origin(hostPage) === PAGE_ORIGIN.DISCARDED;
        into[index] = isDiscarded ? FEED_PAGE.DISCARDED : FEED_PAGE.MISSING;
      }
    }
  }

  #hasCome(entry: number): boolean {
    const first = entry * this.#pagesPerEntry;
    return this.#ram.received.nextSet(first, first + this.#pagesPerEntry) !== -1;
  }
}

/** Pages at a source. */
export class SourcePages implements PageReader {
  readonly initial = FEED_PAGE.TO_SEND;
  readonly block: string;
  readonly unit: number;
  readonly count: number;
  readonly #ram: RamBlock;
  readonly #pagesPerEntry: number;

  /** `placementPageBytes` as far as it is agreed on. */
  constructor(ram: RamBlock, placementPageBytes: number) {
    this.#ram = ram;
    this.block = ram.name;
    this.unit = shownUnit(ram.lengthBytes, placementPageBytes);
    this.count = ram.lengthBytes / this.unit;
    this.#pagesPerEntry = this.unit / TARGET_PAGE_BYTES;
  }

  /** Target pages that are to be sent, or to be sent again. */
  get dirtyPages(): number {
    return this.#ram.dirty.countUnion(this.#ram.dirtyLog);
  }

  read(from: number, into: Uint8Array): void {
    if (this.#pagesPerEntry === 1) this.#readPages(from, into);
    else for (let index = 0; index < into.length; index += 1) into[index] = this.#stateOf(from + index);
  }

  /** Most words are all of one state. */
  #readPages(from: number, into: Uint8Array): void {
    for (let index = 0; index < into.length; ) {
      const page = from + index;
      const [dirty, sent] = this.#words(page >>> 5);
      const end = Math.min(into.length, index + PAGES_PER_WORD - (page & 31));
      if (dirty === 0 && sent === ALL) into.fill(FEED_PAGE.SENT, index, end);
      else if (dirty === ALL && sent === 0) into.fill(FEED_PAGE.TO_SEND, index, end);
      else for (let at = index; at < end; at += 1) into[at] = codeOf(dirty, sent, 1 << ((from + at) & 31));
      index = end;
    }
  }

  #stateOf(entry: number): number {
    const first = entry * this.#pagesPerEntry;
    const end = first + this.#pagesPerEntry;
    let worst: number = FEED_PAGE.SENT;
    for (let page = first; page < end; ) {
      const [dirty, sent] = this.#words(page >>> 5);
      const width = Math.min(end - page, PAGES_PER_WORD - (page & 31));
      const mask = (width === PAGES_PER_WORD ? ALL : (1 << width) - 1) << (page & 31);
      if ((dirty & sent & mask) !== 0) return FEED_PAGE.DIRTY;
      if ((~sent & mask) !== 0) worst = FEED_PAGE.TO_SEND;
      page += width;
    }
    return worst;
  }

  #words(index: number): [number, number] {
    const { dirty, dirtyLog, sent } = this.#ram;
    return [dirty.word(index) | dirtyLog.word(index), sent.word(index)];
  }
}

function codeOf(dirty: number, sent: number, bit: number): number {
  if ((sent & bit) === 0) return FEED_PAGE.TO_SEND;
  return (dirty & bit) === 0 ? FEED_PAGE.SENT : FEED_PAGE.DIRTY;
}
