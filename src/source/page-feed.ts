// Fills batches with dirty pages: the hot path of a source.
import type { RamBlock } from '../machine/ram-block.ts';
import type { SourceWait } from '../telemetry/request-record.ts';
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

/** A batch that has to leave. */
export interface FilledBatch {
  readonly stream: OutgoingStream;
  readonly class: SendClass;
  /** What a request waits for that comes while it is written. */
  readonly wait: SourceWait;
}

/** The channels that pages go to. */
export interface FeedChannels {
  readonly main: OutgoingStream;
  /** Requested pages go here, if there is one. */
  readonly preempt: OutgoingStream | undefined;
  /** Whether a background page under way on main is interrupted by a request, to be finished later. */
  readonly breaksHugePages: boolean;
}

/** A placement page of which a part has been sent. */
interface UnitUnderWay {
  readonly unit: PageUnit;
  nextPage: number;
}

/** Postcopy: placement pages in their order, each whole and contiguous on its channel (rule S18), in as many batches as it needs. */
export class PageFeed {
  readonly #order: PageOrder;
  readonly #channels: FeedChannels;
  #onMain: UnitUnderWay | undefined;
  #onPreempt: UnitUnderWay | undefined;
  /** Whether a vCPU waits for the page that is under way on main. */
  #isMainUrgent = false;

  constructor(order: PageOrder, channels: FeedChannels) {
    this.#order = order;
    this.#channels = channels;
  }

  /** Whether a vCPU waits for what comes next. */
  get isUrgent(): boolean {
    return this.#isMainUrgent || this.#onPreempt !== undefined || this.#order.hasRequests;
  }

  /** Adds pages until a batch has to leave; undefined when nothing is dirty any more. */
  fill(): FilledBatch | undefined {
    const { preempt } = this.#channels;
    return (preempt === undefined ? undefined : this.#fillPreempt(preempt)) ?? this.#fillMain();
  }

  #fillPreempt(stream: OutgoingStream): FilledBatch | undefined {
    if (this.#isMainUrgent || (this.#onMain !== undefined && !this.#channels.breaksHugePages))
      return undefined;
    this.#onPreempt ??= this.#beginRequested();
    const underWay = this.#onPreempt;
    if (underWay === undefined) return undefined;
    if (append(stream, underWay)) {
      this.#onPreempt = undefined;
      stream.counters.requestedPages += underWay.unit.pageCount;
    }
    return { stream, class: 'requested', wait: 'behindRequests' };
  }

  /** The next requested page; one that is under way on main already is finished there (rule S42). */
  #beginRequested(): UnitUnderWay | undefined {
    const unit = this.#order.nextRequested();
    if (unit === undefined) return undefined;
    const main = this.#onMain?.unit;
    if (main?.block === unit.block && main.firstPage === unit.firstPage) {
      this.#isMainUrgent = true;
      this.#order.lastWasUnderWay();
      return undefined;
    }
    return { unit, nextPage: unit.firstPage };
  }

  #fillMain(): FilledBatch | undefined {
    const { main } = this.#channels;
    let isPartial = this.#onMain !== undefined;
    for (let underWay = this.#onMain ?? this.#beginOnMain(); underWay; underWay = this.#beginOnMain()) {
      const { pageCount } = underWay.unit;
      const isRequested = underWay.unit.isRequested || this.#isMainUrgent;
      // What a request has to wait for, since a page is not split, is as urgent as itself.
      const sendClass = isRequested || this.#order.hasRequests ? 'requested' : 'background';
      const isWhole = append(main, underWay);
      isPartial ||= !isWhole;
      const wait = isRequested ? 'behindRequests' : this.#backgroundWait(isPartial);
      if (!isWhole) return { stream: main, class: sendClass, wait };
      this.#onMain = undefined;
      this.#isMainUrgent = false;
      if (isRequested) main.counters.requestedPages += pageCount;
      else main.counters.backgroundPages += pageCount;
      // A vCPU waits for it, and a batch that already holds some of it must not wait for more.
      if (isRequested || this.#order.hasRequests || main.isFull)
        return { stream: main, class: sendClass, wait };
    }
    return undefined;
  }

  /** A page that takes several batches has to be finished first, unless a request interrupts it. */
  #backgroundWait(isPartial: boolean): SourceWait {
    const { preempt, breaksHugePages } = this.#channels;
    const isSplit = preempt !== undefined && breaksHugePages;
    return isPartial && !isSplit ? 'behindPage' : 'behindBackground';
  }

  #beginOnMain(): UnitUnderWay | undefined {
    const unit = this.#channels.preempt === undefined ? this.#order.next() : this.#order.nextBackground();
    if (unit === undefined) return undefined;
    this.#onMain = { unit, nextPage: unit.firstPage };
    this.#isMainUrgent = unit.isRequested;
    return this.#onMain;
  }
}

/** Adds target pages of a placement page until the batch is full; returns whether that was all of it. */
function append(stream: OutgoingStream, underWay: UnitUnderWay): boolean {
  const { block, firstPage, pageCount } = underWay.unit;
  const endPage = firstPage + pageCount;
  while (underWay.nextPage < endPage && !stream.isFull) {
    stream.appendPage(block.ram, underWay.nextPage);
    underWay.nextPage += 1;
  }
  return underWay.nextPage === endPage;
}
