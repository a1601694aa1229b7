// All RAM blocks end to end, as one line of target pages, and where on it dirty placement pages are.
import { pagesIn } from '../../machine/ram-memory.ts';
import { type PageUnit, type PlacedBlock, unitOf } from '../page-unit.ts';
import { DirtyScan } from './dirty-scan.ts';

/** A part of the line: positions count target pages from the start of the line. */
export interface LineBounds {
  readonly start: number;
  readonly end: number;
}

interface Stretch extends LineBounds {
  readonly index: number;
  readonly block: PlacedBlock;
  readonly pagesPerUnit: number;
  readonly pagesPerHostPage: number;
  /** Keeps the bits of a page number that are those of its placement page; page numbers stay below 2^32. */
  readonly unitMask: number;
  readonly scan: DirtyScan;
}

/**
 * The line. A position is that of the first target page of a placement page. What is dirty is to be sent; placement
 * pages are dirty as a whole, and from now on they only become clean.
 */
export class DirtyLine {
  /** Where the line ends: the target pages of all blocks. */
  readonly end: number;
  readonly #stretches: readonly Stretch[];
  readonly #startOf = new Map<PlacedBlock, number>();
  /** The stretch looked at last: the next look is likely to be there too. */
  #last: Stretch;

  constructor(blocks: readonly PlacedBlock[]) {
    let start = 0;
    this.#stretches = blocks.map((block, index) => {
      const end = start + block.ram.targetPageCount;
      const pagesPerUnit = pagesIn(block.placementPageBytes);
      // A peer's number, which no rule makes a multiple.
      const { hostPageBytes = block.placementPageBytes } = block;
      const pagesPerHostPage = Math.floor(hostPageBytes / block.placementPageBytes) * pagesPerUnit;
      const unitMask = -pagesPerUnit;
      const scan = new DirtyScan(block.ram.dirty);
      const stretch = { index, block, start, end, pagesPerUnit, pagesPerHostPage, unitMask, scan };
      this.#startOf.set(block, start);
      start = end;
      return stretch;
    });
    this.end = start;
    this.#last = this.#stretches[0]!;
  }

  /** The position of the placement page that holds a target page of a block. */
  positionOf(block: PlacedBlock, page: number): number {
    return this.#startOf.get(block)! + unitOf(block, page, false).firstPage;
  }

  /** The placement page at a position, for the background to send. */
  unitAt(position: number): PageUnit {
    const { block, start, pagesPerUnit } = this.#at(position);
    return { block, firstPage: position - start, pageCount: pagesPerUnit, isRequested: false };
  }

  /** Where the placement page at a position ends. */
  endOfUnit(position: number): number {
    return position + this.#at(position).pagesPerUnit;
  }

  /** The block that a position is in. */
  blockAt(position: number): LineBounds {
    return this.#at(position);
  }

  /** The destination's host page that a position is in; the last one of a block may be shorter. */
  hostPageAt(position: number): LineBounds {
    const at = this.#at(position);
    return aligned(at, position, at.pagesPerHostPage);
  }

  /** The aligned piece of so many target pages that a position is in. */
  pieceAt(position: number, pageCount: number): LineBounds {
    return aligned(this.#at(position), position, pageCount);
  }

  /** Whether a block is placed in pieces of the destination's host pages. */
  get hasBrokenHostPages(): boolean {
    return this.#stretches.some(({ pagesPerUnit, pagesPerHostPage }) => pagesPerUnit < pagesPerHostPage);
  }

  /** The part of the line that some bytes of a block are on, widened to whole placement pages; undefined for a block not on it. */
  boundsOf(name: string, startBytes: number, lengthBytes: number): LineBounds | undefined {
    const stretch = this.#stretches.find(({ block }) => block.ram.name === name);
    if (stretch === undefined) return undefined;
    const unitBytes = stretch.block.placementPageBytes;
    const firstUnit = Math.floor(startBytes / unitBytes);
    const endUnit = Math.ceil((startBytes + lengthBytes) / unitBytes);
    return {
      start: Math.min(stretch.end, stretch.start + firstUnit * stretch.pagesPerUnit),
      end: Math.min(stretch.end, stretch.start + endUnit * stretch.pagesPerUnit),
    };
  }

  /** Whether the placement page at a position is dirty. */
  isDirty(position: number): boolean {
    const { block, start } = this.#at(position);
    return block.ram.dirty.test(position - start);
  }

  /** The first dirty placement page at or after a position, or -1. */
  nextDirty(from: number): number {
    if (from >= this.end) return -1;
    for (let at: Stretch | undefined = this.#at(from); at !== undefined; at = this.#stretches[at.index + 1]) {
      const { start, scan, unitMask } = at;
      const page = scan.atOrAfter(from > start ? from - start : 0);
      // Not a remainder: of numbers that might be fractions V8 takes it by way of the C library.
      if (page !== -1) return start + ((page & unitMask) >>> 0);
    }
    return -1;
  }

  /** The first dirty placement page of a part of the line, or -1. */
  nextDirtyIn({ start, end }: LineBounds): number {
    const found = this.nextDirty(start);
    return found < end ? found : -1;
  }

  /** The first dirty placement page at or after a position, and from the start of the line again if there is none; -1 if nothing is dirty. */
  nextDirtyRound(from: number): number {
    const found = this.nextDirty(from);
    return found === -1 && from > 0 ? this.nextDirty(0) : found;
  }

  /** The last dirty placement page before a position, or -1. */
  lastDirtyBefore(position: number): number {
    if (position <= 0) return -1;
    for (
      let at: Stretch | undefined = this.#at(position - 1);
      at !== undefined;
      at = this.#stretches[at.index - 1]
    ) {
      const { start, end, scan, unitMask } = at;
      const page = scan.before(Math.min(position, end) - start);
      if (page !== -1) return start + ((page & unitMask) >>> 0);
    }
    return -1;
  }

  #at(position: number): Stretch {
    const last = this.#last;
    if (position >= last.start && position < last.end) return last;
    this.#last = this.#stretches.find(({ end }) => position < end)!;
    return this.#last;
  }
}

/** The part of a block that holds a position, if it is cut into such parts from its start. */
function aligned({ start, end }: LineBounds, position: number, pageCount: number): LineBounds {
  const first = position - ((position - start) % pageCount);
  return { start: first, end: Math.min(end, first + pageCount) };
}
