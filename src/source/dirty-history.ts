// Remembers in which of the last bitmap syncs each placement page was found dirtied.
import { pagesIn } from '../machine/ram-memory.ts';
import type { PlacedBlock } from './page-unit.ts';

/** Syncs that are remembered. */
const SYNCS = 8;
const HEAT_MASK = 2 ** SYNCS - 1;

interface BlockHistory {
  readonly block: PlacedBlock;
  readonly start: number;
  /** log2 of the target pages of a placement page; page numbers stay below 2^32, so `>>>` is exact. */
  readonly unitShift: number;
  /** By placement page: the number of the sync in which it was found dirtied last, and the bits of that and those before. */
  readonly marks: Uint32Array;
}

/**
 * A bit per sync and placement page, the last sync in the highest bit: read as a number it is the heat of the page,
 * which is larger the later it was dirtied, and among equally late ones the more often.
 */
export class DirtyHistory {
  readonly maxHeat = HEAT_MASK;
  readonly #blocks: readonly BlockHistory[];
  #sync = 0;

  constructor(blocks: readonly PlacedBlock[]) {
    let start = 0;
    this.#blocks = blocks.map((block) => {
      const pagesPerUnit = pagesIn(block.placementPageBytes);
      const marks = new Uint32Array(block.ram.targetPageCount / pagesPerUnit);
      const history = { block, start, unitShift: Math.log2(pagesPerUnit), marks };
      start += block.ram.targetPageCount;
      return history;
    });
  }

  /** A sync begins. */
  beginSync(): void {
    this.#sync += 1;
  }

  /** The sync found these pages of a block dirtied: bits of a word whose first one is that of `firstPage`. */
  note(blockIndex: number, firstPage: number, bits: number): void {
    const { marks, unitShift } = this.#blocks[blockIndex]!;
    for (let left = bits; left !== 0; left &= left - 1) {
      const unit = (firstPage + 31 - Math.clz32(left & -left)) >>> unitShift;
      const mark = marks[unit]!;
      if (mark >>> SYNCS === this.#sync) continue;
      marks[unit] = (this.#sync << SYNCS) | this.#heatOf(mark) | (1 << (SYNCS - 1));
    }
  }

  /** Each placement page that is dirty and has any heat, by its first target page of all blocks' in a row, upwards. */
  forEachHot(visit: (position: number, heat: number) => void): void {
    for (const { block, start, unitShift, marks } of this.#blocks) {
      for (let unit = 0; unit < marks.length; unit += 1) {
        if (marks[unit] === 0) continue;
        const heat = this.#heatOf(marks[unit]!);
        const page = unit * 2 ** unitShift;
        if (heat > 0 && block.ram.dirty.test(page)) visit(start + page, heat);
      }
    }
  }

  /** The bits of a mark as they stand now: shifted on by one for each sync since. */
  #heatOf(mark: number): number {
    const age = this.#sync - (mark >>> SYNCS);
    return age >= SYNCS ? 0 : (mark & HEAT_MASK) >>> age;
  }
}
