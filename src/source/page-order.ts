// Decides which placement page goes next after the switchover: requested ones first, then the background scan.
import { LimitError, MemoryMapError, ProtocolError } from '../errors.ts';
import type { RamBlock } from '../machine/ram-block.ts';
import { hex } from '../protocol/bytes.ts';
import { TARGET_PAGE_BYTES } from '../protocol/ram-records.ts';

/**
 * So many requests may wait: a destination asks once for each page that a vCPU waits for, and again for those after a
 * recovery. More is a flood, which must not fill our memory.
 */
export const REQUEST_LIMIT = 65_536;

/** A block and how it is placed. */
export interface PlacedBlock {
  readonly ram: RamBlock;
  readonly placementPageBytes: number;
}

/** A run of target pages that is sent whole and contiguous. */
export interface PageUnit {
  readonly block: PlacedBlock;
  readonly firstPage: number;
  readonly pageCount: number;
  /** Whether a vCPU waits for it. */
  readonly isRequested: boolean;
}

interface PageRequest {
  readonly block: PlacedBlock;
  /** Next target page to look at, and the one behind the last. */
  nextPage: number;
  readonly endPage: number;
}

/** The order of pages after the switchover. What is dirty is to be sent; sending makes it clean. */
export class PageOrder {
  /** Requests that came, also those for pages that were clean by then. */
  requestCount = 0;
  readonly #blocks: readonly PlacedBlock[];
  readonly #requests: PageRequest[] = [];
  #lastNamed: PlacedBlock | undefined;
  #scanBlock = 0;
  #scanPage = 0;
  #cleanBlocks = 0;

  constructor(blocks: readonly PlacedBlock[]) {
    this.#blocks = blocks;
  }

  /** Whether a request waits. */
  get hasRequests(): boolean {
    return this.#requests.length > 0;
  }

  /**
   * Queues a request. `name` is undefined in REQ_PAGES, which means the block last named.
   *
   * @throws MemoryMapError `request-unaligned` (S22), `unknown-block` (S24) or `request-overrun` (S25), ProtocolError
   * `no-block-named` (S23), LimitError `too-many-requests`
   */
  request(name: string | undefined, start: number, lengthBytes: number): void {
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
    const nextPage = start / TARGET_PAGE_BYTES;
    this.#requests.push({ block, nextPage, endPage: nextPage + lengthBytes / TARGET_PAGE_BYTES });
  }

  /** The placement page to send next; undefined when nothing is dirty any more. */
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
        continue;
      }
      const unit = unitOf(block, page, true);
      request.nextPage = unit.firstPage + unit.pageCount;
      // As in QEMU the scan goes on behind the page served last, for neighbours are likely to be wanted next.
      this.#scanBlock = this.#blocks.indexOf(block);
      this.#scanPage = request.nextPage;
      this.#cleanBlocks = 0;
      return unit;
    }
    return undefined;
  }

  /** The next one of the background: goes round all blocks, and is over when none has a dirty page from start to end. */
  nextBackground(): PageUnit | undefined {
    while (this.#cleanBlocks <= this.#blocks.length) {
      const block = this.#blocks[this.#scanBlock]!;
      const page = this.#scanPage < block.ram.targetPageCount ? block.ram.dirty.nextSet(this.#scanPage) : -1;
      if (page !== -1) {
        const unit = unitOf(block, page, false);
        this.#scanPage = unit.firstPage + unit.pageCount;
        this.#cleanBlocks = 0;
        return unit;
      }
      this.#scanBlock = (this.#scanBlock + 1) % this.#blocks.length;
      this.#scanPage = 0;
      this.#cleanBlocks += 1;
    }
    return undefined;
  }
}

function unitOf(block: PlacedBlock, page: number, isRequested: boolean): PageUnit {
  const pageCount = block.placementPageBytes / TARGET_PAGE_BYTES;
  return { block, firstPage: page - (page % pageCount), pageCount, isRequested };
}
