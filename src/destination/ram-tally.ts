// Counts what has come of each host page, over all channels.
import { MemoryMapError, StateError } from '../errors.ts';
import { PAGE_STATE } from '../machine/page-state.ts';
import type { RamBlock, RamImage } from '../machine/ram-block.ts';
import { SharedBitmap } from '../machine/shared-bitmap.ts';
import { hex } from '../protocol/bytes.ts';
import type { PresentPages } from '../telemetry/pages-over-time.ts';
import type { CollapseCounts, CollapseResult } from '../telemetry/result.ts';
import { BrokenPages, type Collapse } from './broken-pages.ts';

/** A page size on the way from the pieces to their host page, and what a collapse into one takes. */
export interface CollapseStep {
  readonly pageBytes: number;
  readonly collapseNs: number;
}

/** What collapses of host pages that were placed in pieces are measured by, and cost. */
export interface CollapseOptions {
  readonly nowNs: () => number;
  /** Of a collapse into a host page. */
  readonly collapseNs: number;
  /** Sizes that pieces are collapsed into before, in ascending order; none without. */
  readonly collapseSteps?: readonly CollapseStep[] | undefined;
}

/** What has come of one block. */
export class BlockTally {
  readonly ram: RamBlock;
  /** Place of the block in the RAM list. */
  readonly index: number;
  readonly pagesPerHostPage: number;
  /** Host pages that are not present. */
  missingCount: number;
  /** Host pages of which some target pages came, but not all. */
  partialCount = 0;
  /** A bit for each host page that came in postcopy while nobody waited for it. */
  readonly pushed: SharedBitmap;
  /** Undefined where each host page is placed as a whole. */
  readonly broken: BrokenPages | undefined;
  readonly #received: Uint32Array;

  constructor(ram: RamBlock, index: number, collapse: CollapseOptions) {
    this.ram = ram;
    this.index = index;
    this.pagesPerHostPage = ram.targetPagesPerHostPage;
    this.missingCount = ram.hostPageCount;
    this.pushed = SharedBitmap.allocate(ram.hostPageCount);
    this.#received = new Uint32Array(ram.hostPageCount);
    if (ram.spec.wholePageBytes !== undefined)
      this.broken = breakPages(ram, ram.spec.wholePageBytes, collapse);
  }

  /** Counts a target page that came for the first time; returns whether its host page is complete now. */
  countReceived(hostPage: number): boolean {
    const count = this.#received[hostPage]! + 1;
    this.#received[hostPage] = count;
    if (count === 1) this.partialCount += 1;
    if (count !== this.pagesPerHostPage) return false;
    this.partialCount -= 1;
    return true;
  }

  /** Makes a host page present. */
  publish(hostPage: number, isPostcopy: boolean): void {
    if (this.ram.publish(hostPage) === PAGE_STATE.PRESENT) return;
    this.missingCount -= 1;
    this.broken?.place(hostPage, isPostcopy);
  }

  /** Forgets what had come of some host pages that the RAM block has forgotten, or is about to. */
  forget(firstHostPage: number, hostPageCount: number): void {
    for (let hostPage = firstHostPage; hostPage < firstHostPage + hostPageCount; hostPage += 1) {
      const count = this.#received[hostPage]!;
      if (count > 0 && count < this.pagesPerHostPage) this.partialCount -= 1;
      this.#received[hostPage] = 0;
    }
  }

  /** The first host page for which `matches` holds; undefined if there is none. */
  firstHostPage(matches: (received: number, isPresent: boolean) => boolean): number | undefined {
    for (let hostPage = 0; hostPage < this.#received.length; hostPage += 1) {
      const isPresent = this.ram.pageState(hostPage) === PAGE_STATE.PRESENT;
      if (matches(this.#received[hostPage]!, isPresent)) return hostPage;
    }
    return undefined;
  }
}

/** What has come of all RAM. */
export class RamTally {
  readonly blocks: readonly BlockTally[];
  /** Whether pages follow postcopy rules: from LISTEN on (rule D84). */
  isPostcopy = false;
  precopyPages = 0;
  backgroundPages = 0;
  requestedPages = 0;
  zeroPages = 0;
  duplicatePages = 0;
  discardedPages = 0;

  constructor(ram: RamImage, collapse: CollapseOptions) {
    this.blocks = ram.blocks.map((block, index) => new BlockTally(block, index, collapse));
  }

  /** Whether every host page is present. */
  get isWhole(): boolean {
    return this.blocks.every((block) => block.missingCount === 0);
  }

  get totalPages(): number {
    return this.blocks.reduce((sum, { ram }) => sum + ram.targetPageCount, 0);
  }

  /** Target pages whose host page is present. */
  get presentPages(): PresentPages {
    const missing = this.blocks.reduce((sum, block) => sum + block.missingCount * block.pagesPerHostPage, 0);
    return {
      present: this.totalPages - missing,
      background: this.backgroundPages,
      requested: this.requestedPages,
    };
  }

  /** What became of host pages that are placed in pieces; undefined if none are. */
  get collapses(): CollapseResult | undefined {
    const blocks = this.blocks.flatMap((block) => (block.broken === undefined ? [] : [block.broken.levels]));
    if (blocks.length === 0) return undefined;
    const steps = blocks.flatMap((levels) => levels.slice(0, -1));
    const sizes = [...new Set(steps.map(({ pageBytes }) => pageBytes))].sort((a, b) => a - b);
    return {
      ...countCollapses(blocks.map((levels) => levels.at(-1)!)),
      steps: sizes.map((pageBytes) => ({
        pageBytes,
        ...countCollapses(steps.filter((step) => step.pageBytes === pageBytes)),
      })),
    };
  }

  find(name: string): BlockTally | undefined {
    return this.blocks.find((block) => block.ram.name === name);
  }

  /** Discards ranges of a block in order; those before a bad one stay discarded (rule D45). @throws MemoryMapError */
  discard(name: string, ranges: readonly { readonly start: number; readonly length: number }[]): void {
    const block = this.find(name);
    if (block === undefined) {
      throw new MemoryMapError('unknown-block', `discard: expected a RAM block of ours, found '${name}'`, {
        rule: 'D38',
      });
    }
    for (const { start, length } of ranges) {
      const first = start / block.ram.hostPageBytes;
      const count = length / block.ram.hostPageBytes;
      let presentCount = 0;
      const isInside =
        Number.isInteger(first) && Number.isInteger(count) && first + count <= block.ram.hostPageCount;
      for (let hostPage = first; isInside && hostPage < first + count; hostPage += 1) {
        if (block.ram.pageState(hostPage) !== PAGE_STATE.PRESENT) continue;
        presentCount += 1;
        block.broken?.discard(hostPage);
      }
      block.ram.discardRange(start, length);
      block.ram.origins?.noteDiscard(first, count);
      block.missingCount += presentCount;
      block.forget(first, count);
      this.discardedPages += count * block.pagesPerHostPage;
    }
  }

  /** @throws StateError `page-missing` that names the first page, unless every host page is present */
  checkComplete(): void {
    for (const block of this.blocks) {
      if (block.missingCount === 0) continue;
      const hostPage = block.firstHostPage((_received, isPresent) => !isPresent)!;
      throw new StateError(
        'page-missing',
        `expected every page before the end, found ${block.missingCount} host pages of block '${block.ram.name}' missing, the first at offset ${hex(hostPage * block.ram.hostPageBytes)}`,
        { rule: 'S33' },
      );
    }
  }

  /** @throws MemoryMapError `host-page-partial` that names a host page of which precopy sent a part that was not discarded */
  checkWholeHostPages(): void {
    for (const block of this.blocks) {
      if (block.partialCount === 0) continue;
      const hostPage = block.firstHostPage((received) => received > 0 && received < block.pagesPerHostPage)!;
      throw new MemoryMapError(
        'host-page-partial',
        `expected host page ${hostPage} of block '${block.ram.name}' (offset ${hex(hostPage * block.ram.hostPageBytes)}) whole or discarded at LISTEN, found a part of it`,
        { rule: 'S12' },
      );
    }
  }
}

/** The pages of a block in pieces, with each step on the way to its host pages that lies between the two. */
function breakPages(ram: RamBlock, wholePageBytes: number, collapse: CollapseOptions): BrokenPages {
  const { nowNs, collapseNs, collapseSteps = [] } = collapse;
  const between = collapseSteps.filter(
    ({ pageBytes }) => pageBytes > ram.hostPageBytes && pageBytes < wholePageBytes,
  );
  const sizes = [...between, { pageBytes: wholePageBytes, collapseNs }];
  const levels = sizes.map((size, index) => ({
    ...size,
    piecesPerPage: size.pageBytes / (sizes[index - 1]?.pageBytes ?? ram.hostPageBytes),
  }));
  const [first, ...above] = levels;
  return new BrokenPages({ pieceCount: ram.hostPageCount, levels: [first!, ...above], nowNs });
}

function countCollapses(pages: readonly BrokenPages[]): CollapseCounts {
  const collapses = pages.flatMap((level) => level.collapses);
  const total = (of: (collapse: Collapse) => number): number =>
    collapses.reduce((sum, collapse) => sum + of(collapse), 0);
  const most = (of: (collapse: Collapse) => number): number =>
    collapses.reduce((highest, collapse) => Math.max(highest, of(collapse)), 0);
  return {
    count: collapses.length,
    totalNs: total(({ costNs }) => costNs),
    maxNs: most(({ costNs }) => costNs),
    inPiecesTotalNs: total(({ inPiecesNs }) => inPiecesNs),
    inPiecesMaxNs: most(({ inPiecesNs }) => inPiecesNs),
    brokenCount: pages.reduce((sum, level) => sum + level.brokenCount, 0),
  };
}
