// Fills batches with dirty pages: the hot path of a source.
import type { RamBlock } from '../machine/ram-block.ts';
import type { OutgoingStream, SendClass } from './outgoing-stream.ts';
import type { PageOrder, PageUnit } from './page-order.ts';

// Plain functions, not generators, and called once per batch: V8 optimises a function at its next call or in its
// loops, and a generator that runs all the migration is called once.

/**
 * Precopy: adds the dirty pages of a block from `fromPage` on until the batch is full. Returns the page to go on at, or
 * -1 when none is left.
 */
export function appendDirtyPages(stream: OutgoingStream, block: RamBlock, fromPage: number): number {
  for (let page = block.dirty.nextSet(fromPage); page !== -1; page = block.dirty.nextSet(page + 1)) {
    stream.appendPage(block, page);
    stream.counters.precopyPages += 1;
    if (stream.isFull) return page + 1;
  }
  return -1;
}

/** Postcopy: placement pages in their order, each whole and contiguous (rule S18), over as many batches as it needs. */
export class PageFeed {
  readonly #order: PageOrder;
  readonly #stream: OutgoingStream;
  /** The placement page under way, and the target page of it that is next. */
  #unit: PageUnit | undefined;
  #nextPage = 0;
  readonly #backgroundBytes: number;

  /** `backgroundBytes`: a batch of background pages leaves when it has so many, even if more would fit in. */
  constructor(order: PageOrder, stream: OutgoingStream, backgroundBytes = Number.POSITIVE_INFINITY) {
    this.#order = order;
    this.#stream = stream;
    this.#backgroundBytes = backgroundBytes;
  }

  /** Adds pages until the batch has to leave, and returns as what; undefined when nothing is dirty any more. */
  fill(): SendClass | undefined {
    const stream = this.#stream;
    for (let unit = this.#unit ?? this.#begin(); unit !== undefined; unit = this.#begin()) {
      const { block, firstPage, pageCount, isRequested } = unit;
      const endPage = firstPage + pageCount;
      const batchBytes = isRequested ? Number.POSITIVE_INFINITY : this.#backgroundBytes;
      while (this.#nextPage < endPage && !stream.isFull && !stream.holds(batchBytes)) {
        stream.appendPage(block.ram, this.#nextPage);
        this.#nextPage += 1;
      }
      const sendClass = isRequested ? 'requested' : 'background';
      if (this.#nextPage < endPage) return sendClass;
      this.#unit = undefined;
      if (isRequested) stream.counters.requestedPages += pageCount;
      else stream.counters.backgroundPages += pageCount;
      // A vCPU waits for it, and a batch that already holds some of it must not wait for more.
      if (isRequested || this.#order.hasRequests || stream.isFull || stream.holds(batchBytes))
        return sendClass;
    }
    return undefined;
  }

  #begin(): PageUnit | undefined {
    this.#unit = this.#order.next();
    if (this.#unit !== undefined) this.#nextPage = this.#unit.firstPage;
    return this.#unit;
  }
}
