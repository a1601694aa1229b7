// Which pages of one RAM block the destination holds, as the stream tells it.
import { TARGET_PAGE_BYTES } from '../protocol/ram-records.ts';

/** Pages of one leaf: bounds what a stream of a few scattered pages makes us hold. */
const LEAF_PAGES = 4096;

/** Bits of a page's state. */
const HELD = 1;
const HELD_SINCE_LISTEN = 2;
const DISCARDED = 4;
/** Stands for every leaf that was discarded whole and not written since, so that one huge discard costs little. */
const ALL_DISCARDED = new Uint8Array(LEAF_PAGES).fill(DISCARDED);

/** What the record of a page means for a block. */
export type Sent =
  | 'new'
  | 'new-and-not-discarded'
  | 'again-in-precopy'
  | 'held-since-precopy'
  | 'again-in-postcopy';

/** Pages of a block by state. */
export interface BlockFigures {
  readonly block: string;
  readonly lengthBytes: number;
  readonly hostPageBytes: number;
  /** PAGE and ZERO records, before LISTEN and since. */
  readonly precopy: { readonly data: number; readonly zero: number };
  readonly postcopy: { readonly data: number; readonly zero: number };
  /** Target pages that a discard dropped after they had been sent. */
  readonly discardedAfterSent: number;
  /** Target pages in all discards. */
  readonly discarded: number;
  readonly hostPageCount: number;
  /** Host pages of which the destination holds every target page, and those completed since LISTEN. */
  readonly hostPagesHeld: number;
  readonly hostPagesCompletedSinceListen: number;
  readonly hostPagesPartial: number;
  /** Target pages that were never held, or discarded and not sent again. */
  readonly missing: number;
  readonly missingAfterDiscard: number;
}

/** A RAM block as the stream fills it. */
export class BlockPages {
  readonly block: string;
  readonly lengthBytes: number;
  readonly #defaultPageBytes: number;
  #listedPageBytes: number | undefined;
  readonly #leaves = new Map<number, Uint8Array>();
  /** How many target pages are held, by index of the host page; nothing where a host page is one target page. */
  readonly #heldByHostPage = new Map<number, number>();
  readonly #precopy = { data: 0, zero: 0 };
  readonly #postcopy = { data: 0, zero: 0 };
  #discardedAfterSent = 0;
  #discarded = 0;
  #completedSinceListen = 0;

  /** `defaultPageBytes`: the host page of a block for which the RAM list tells none. */
  constructor(block: string, lengthBytes: number, defaultPageBytes: number) {
    this.block = block;
    this.lengthBytes = lengthBytes;
    this.#defaultPageBytes = defaultPageBytes;
  }

  /** Host page size in bytes that the RAM list tells; it stands behind the length, before any page. */
  get listedPageBytes(): number | undefined {
    return this.#listedPageBytes;
  }

  set listedPageBytes(pageBytes: number | undefined) {
    this.#listedPageBytes = pageBytes;
  }

  /** Host page size in bytes. */
  get hostPageBytes(): number {
    return this.#listedPageBytes ?? this.#defaultPageBytes;
  }

  /** Index of the host page at an offset. */
  hostPageAt(offset: number): number {
    return Math.floor(offset / this.hostPageBytes);
  }

  /** Notes a PAGE or ZERO record. */
  send(offset: number, kind: 'data' | 'zero', isSinceListen: boolean): Sent {
    const index = offset / TARGET_PAGE_BYTES;
    const leaf = this.#leaf(Math.floor(index / LEAF_PAGES));
    const state = leaf[index % LEAF_PAGES]!;
    (isSinceListen ? this.#postcopy : this.#precopy)[kind] += 1;
    leaf[index % LEAF_PAGES] = state | HELD | (isSinceListen ? HELD_SINCE_LISTEN : 0);
    if ((state & HELD) !== 0) {
      if (!isSinceListen) return 'again-in-precopy';
      return (state & HELD_SINCE_LISTEN) === 0 ? 'held-since-precopy' : 'again-in-postcopy';
    }
    const hostPage = this.hostPageAt(offset);
    this.#count(hostPage, 1);
    if (isSinceListen && this.isHeld(hostPage)) this.#completedSinceListen += 1;
    return isSinceListen && (state & DISCARDED) === 0 ? 'new-and-not-discarded' : 'new';
  }

  /** Notes a discarded range that lies within the block. */
  discard(start: number, lengthBytes: number): void {
    const first = Math.floor(start / TARGET_PAGE_BYTES);
    const end = Math.ceil((start + lengthBytes) / TARGET_PAGE_BYTES);
    this.#discarded += end - first;
    for (let index = first; index < end; ) {
      const leafEnd = Math.min(end, (Math.floor(index / LEAF_PAGES) + 1) * LEAF_PAGES);
      const number = Math.floor(index / LEAF_PAGES);
      if (!this.#leaves.has(number) && leafEnd - index === LEAF_PAGES) {
        this.#leaves.set(number, ALL_DISCARDED);
        index = leafEnd;
      } else {
        this.#discardInLeaf(this.#leaf(number), index, leafEnd);
        index = leafEnd;
      }
    }
  }

  #discardInLeaf(leaf: Uint8Array, first: number, end: number): void {
    for (let index = first; index < end; index += 1) {
      const state = leaf[index % LEAF_PAGES]!;
      leaf[index % LEAF_PAGES] = DISCARDED;
      if ((state & HELD) === 0) continue;
      this.#discardedAfterSent += 1;
      this.#count(this.hostPageAt(index * TARGET_PAGE_BYTES), -1);
    }
  }

  #count(hostPage: number, change: 1 | -1): void {
    if (this.hostPageBytes === TARGET_PAGE_BYTES) return;
    this.#heldByHostPage.set(hostPage, (this.#heldByHostPage.get(hostPage) ?? 0) + change);
  }

  /** Whether every target page of a host page is held. */
  isHeld(hostPage: number): boolean {
    if (this.hostPageBytes === TARGET_PAGE_BYTES) {
      const leaf = this.#leaves.get(Math.floor(hostPage / LEAF_PAGES));
      return leaf !== undefined && (leaf[hostPage % LEAF_PAGES]! & HELD) !== 0;
    }
    return this.#heldByHostPage.get(hostPage) === this.#targetPagesOf(hostPage);
  }

  /** The last host page of a block may be cut by its length. */
  #targetPagesOf(hostPage: number): number {
    const start = hostPage * this.hostPageBytes;
    const lengthBytes = Math.min(this.hostPageBytes, this.lengthBytes - start);
    return Math.ceil(lengthBytes / TARGET_PAGE_BYTES);
  }

  #leaf(number: number): Uint8Array {
    const known = this.#leaves.get(number);
    if (known !== undefined && known !== ALL_DISCARDED) return known;
    const leaf = known === undefined ? new Uint8Array(LEAF_PAGES) : ALL_DISCARDED.slice();
    this.#leaves.set(number, leaf);
    return leaf;
  }

  /** The figures so far. */
  figures(): BlockFigures {
    let held = 0;
    let missingAfterDiscard = 0;
    for (const leaf of this.#leaves.values()) {
      if (leaf === ALL_DISCARDED) {
        missingAfterDiscard += LEAF_PAGES;
        continue;
      }
      for (const state of leaf) {
        held += state & HELD;
        if (state === DISCARDED) missingAfterDiscard += 1;
      }
    }
    let hostPagesHeld = this.hostPageBytes === TARGET_PAGE_BYTES ? held : 0;
    let hostPagesPartial = 0;
    for (const [hostPage, count] of this.#heldByHostPage) {
      if (count === this.#targetPagesOf(hostPage)) hostPagesHeld += 1;
      else if (count > 0) hostPagesPartial += 1;
    }
    return {
      block: this.block,
      lengthBytes: this.lengthBytes,
      hostPageBytes: this.hostPageBytes,
      precopy: { ...this.#precopy },
      postcopy: { ...this.#postcopy },
      discardedAfterSent: this.#discardedAfterSent,
      discarded: this.#discarded,
      hostPageCount: Math.ceil(this.lengthBytes / this.hostPageBytes),
      hostPagesHeld,
      hostPagesCompletedSinceListen: this.#completedSinceListen,
      hostPagesPartial,
      missing: Math.ceil(this.lengthBytes / TARGET_PAGE_BYTES) - held,
      missingAfterDiscard,
    };
  }
}
