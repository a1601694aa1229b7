// Decides which placement page goes next after the switchover: requested ones first, then what is pushed.
import { LimitError, MemoryMapError, ProtocolError } from '../errors.ts';
import { pagesIn } from '../machine/ram-memory.ts';
import { hex } from '../protocol/bytes.ts';
import { TARGET_PAGE_BYTES } from '../protocol/ram-records.ts';
import { CLAIMANT, type PageClaims } from './page-claims.ts';
import { type PageUnit, type PlacedBlock, unitOf } from './page-unit.ts';
import { DirtyLine } from './push/dirty-line.ts';
import { ForwardPush } from './push/forward.ts';
import type { PushStrategy } from './push/push-strategy.ts';
import { SequentialPush } from './push/sequential.ts';
import { RequestLog } from './request-log.ts';

export type { PageUnit, PlacedBlock } from './page-unit.ts';

/**
 * So many requests may wait: a destination asks once for each page that a vCPU waits for, and again for those after a
 * recovery. More is a flood, which must not fill our memory.
 */
export const REQUEST_LIMIT = 65_536;

interface PageRequest {
  readonly block: PlacedBlock;
  /** Next target page to look at, and the one behind the last. */
  nextPage: number;
  readonly endPage: number;
  /** Whether any of it was sent for it. */
  isServed: boolean;
  /** Its row in the log. */
  readonly row: number;
}

/** Who else has a say, and who is told. */
export interface OrderWatchers {
  /** Of a migration of which another thread answers requests. */
  readonly claims?: PageClaims | undefined;
  /** Notes the requests. */
  readonly log?: RequestLog;
}

/** The order of pages after the switchover. What is dirty is to be sent; sending makes it clean. */
export class PageOrder {
  /** Requests that came, also those for pages that were clean by then. */
  requestCount = 0;
  /** Those of them of which all had been sent when their turn came. */
  foundSentCount = 0;
  /** While it is, nothing is sent unasked. */
  isPushPaused = false;
  readonly #blocks: readonly PlacedBlock[];
  readonly #requests: PageRequest[] = [];
  readonly #line: DirtyLine;
  #push: PushStrategy;
  #lastNamed: PlacedBlock | undefined;
  readonly #claims: PageClaims | undefined;
  readonly #log: RequestLog;

  /** `beginPush` gives the strategy of what is sent unasked; `forward` without. */
  constructor(
    blocks: readonly PlacedBlock[],
    beginPush: (line: DirtyLine) => PushStrategy = (line) => new ForwardPush(line),
    { claims, log = new RequestLog(0) }: OrderWatchers = {},
  ) {
    this.#blocks = blocks;
    this.#claims = claims;
    this.#log = log;
    this.#line = new DirtyLine(blocks);
    this.#push = beginPush(this.#line);
  }

  /** Whether anything is still to be sent, asked for or not. */
  get hasDirty(): boolean {
    return this.#line.nextDirty(0) !== -1;
  }

  /** Whether a request waits. */
  get hasRequests(): boolean {
    return this.#requests.length > 0;
  }

  /**
   * Queues a request that has come at a time. `name` is undefined in REQ_PAGES, which means the block last named.
   *
   * @throws MemoryMapError `request-unaligned` (S22), `unknown-block` (S24) or `request-overrun` (S25), ProtocolError
   * `no-block-named` (S23), LimitError `too-many-requests`
   */
  request(name: string | undefined, start: number, lengthBytes: number, nowNs = 0): void {
    this.requestCount += 1;
    const where = `request of ${hex(lengthBytes)} bytes at ${hex(start)}`;
    if (start % TARGET_PAGE_BYTES !== 0 || lengthBytes % TARGET_PAGE_BYTES !== 0) {
      throw new MemoryMapError(
        'request-unaligned',
        `${where}: expected multiples of ${hex(TARGET_PAGE_BYTES)}`,
        {
          rule: 'S22',
        },
      );
    }
    if (name !== undefined) this.#lastNamed = this.#blocks.find((block) => block.ram.name === name);
    const block = this.#lastNamed;
    if (block === undefined) {
      if (name === undefined) {
        throw new ProtocolError('no-block-named', `${where}: expected REQ_PAGES_ID first, found REQ_PAGES`, {
          rule: 'S23',
        });
      }
      throw new MemoryMapError('unknown-block', `${where}: expected a RAM block of ours, found '${name}'`, {
        rule: 'S24',
      });
    }
    if (start + lengthBytes > block.ram.lengthBytes) {
      throw new MemoryMapError(
        'request-overrun',
        `${where}: expected at most ${hex(block.ram.lengthBytes)}, the length of '${block.ram.name}'`,
        { rule: 'S25' },
      );
    }
    if (this.#requests.length >= REQUEST_LIMIT) {
      throw new LimitError(
        'too-many-requests',
        `${where}: expected at most ${REQUEST_LIMIT} to wait, found more`,
      );
    }
    const nextPage = pagesIn(start);
    const endPage = nextPage + pagesIn(lengthBytes);
    if (this.#claims?.has(block, nextPage, CLAIMANT.PREEMPT) && this.#isClean(block, nextPage, endPage)) {
      // Another thread has answered it, so nobody waits for this one.
      this.#push.requested(this.#line.positionOf(block, nextPage), true);
      return;
    }
    const row = this.#log.arrived(this.#blocks.indexOf(block), start, this.#requests.length, nowNs);
    this.#requests.push({ block, nextPage, endPage, isServed: false, row });
  }

  /** From now on all that nobody asks for is pushed from the first page to the last, whatever the strategy was. */
  pushRest(): void {
    this.#push = new SequentialPush(this.#line);
  }

  /** The placement page to send next; undefined when nothing is dirty any more, or the strategy sends nothing. */
  next(): PageUnit | undefined {
    return this.nextRequested() ?? this.nextBackground();
  }

  /**
   * The next one that a vCPU waits for. Target pages of a request that are clean were sent already: they are skipped
   * without an answer (rule S21).
   */
  nextRequested(): PageUnit | undefined {
    for (let request = this.#requests[0]; request !== undefined; request = this.#requests[0]) {
      const { block, nextPage, endPage } = request;
      const page = nextPage < endPage ? block.ram.dirty.nextSet(nextPage, endPage) : -1;
      if (page === -1) {
        this.#requests.shift();
        if (!request.isServed && nextPage < endPage) this.#foundSent(block, nextPage);
        continue;
      }
      const unit = unitOf(block, page, true);
      request.nextPage = unit.firstPage + unit.pageCount;
      if (!request.isServed) this.#log.taken(request.row);
      request.isServed = true;
      if (!this.#claim(unit)) continue;
      this.#push.requested(this.#line.positionOf(block, page), true);
      return unit;
    }
    return undefined;
  }

  /** The requested page that was next is under way already, unasked. */
  lastWasUnderWay(): void {
    this.#log.lastWasUnderWay();
  }

  /** The next one of the background, in the order of the push strategy. */
  nextBackground(): PageUnit | undefined {
    if (this.isPushPaused) return undefined;
    for (let position = this.#push.next(); position !== -1; position = this.#push.next()) {
      const unit = this.#line.unitAt(position);
      if (this.#claim(unit)) return unit;
    }
    return undefined;
  }

  /** Whether a placement page is to be sent here. One that another thread sends is clean, as far as this one goes. */
  #claim(unit: PageUnit): boolean {
    if (this.#claims === undefined || this.#claims.take(unit, CLAIMANT.MAIN)) return true;
    unit.block.ram.dirty.clearRange(unit.firstPage, unit.pageCount);
    return false;
  }

  #isClean({ ram }: PlacedBlock, page: number, endPage: number): boolean {
    return ram.dirty.nextSet(page, endPage) === -1;
  }

  #foundSent(block: PlacedBlock, page: number): void {
    this.foundSentCount += 1;
    this.#push.requested(this.#line.positionOf(block, page), false);
  }
}
