// Rounds dirty state to placement pages and turns it into discards (rules S11 to S13).
import type { RamBlock } from '../machine/ram-block.ts';
import { pagesIn } from '../machine/ram-memory.ts';
import { encodeCommand } from '../protocol/commands.ts';
import type { ByteRange } from '../protocol/fields.ts';
import { TARGET_PAGE_BYTES } from '../protocol/ram-records.ts';

/** QEMU puts at most so many ranges in one command. */
const RANGES_PER_DISCARD = 12;

/**
 * Makes every placement page that holds a dirty target page dirty as a whole. Returns how many target pages that adds:
 * they were sent and are clean, so discarding them is the amplification that a larger page costs.
 */
export function roundToPlacementPages(block: RamBlock, placementPageBytes: number): number {
  const pagesPerUnit = pagesIn(placementPageBytes);
  if (pagesPerUnit === 1) return 0;
  let addedCount = 0;
  for (let page = block.dirty.nextSet(0); page !== -1; ) {
    const first = page - (page % pagesPerUnit);
    addedCount += pagesPerUnit - block.dirty.countRange(first, pagesPerUnit);
    block.dirty.setRange(first, pagesPerUnit);
    page = block.dirty.nextSet(first + pagesPerUnit);
  }
  return addedCount;
}

/** The maximal runs of dirty target pages, as byte ranges in the block. */
export function* dirtyRanges(block: RamBlock): Generator<ByteRange> {
  for (let first = block.dirty.nextSet(0); first !== -1; ) {
    const nextClean = block.dirty.nextClear(first);
    const end = nextClean === -1 ? block.targetPageCount : nextClean;
    yield { start: first * TARGET_PAGE_BYTES, length: (end - first) * TARGET_PAGE_BYTES };
    first = block.dirty.nextSet(end);
  }
}

/** The discard commands for all that is dirty in the block; none where nothing is. */
export function* discardCommands(block: RamBlock): Generator<Uint8Array> {
  let ranges: ByteRange[] = [];
  const command = () =>
    encodeCommand('POSTCOPY_RAM_DISCARD', { version: 0, block: block.name, terminator: 0, ranges });
  for (const range of dirtyRanges(block)) {
    ranges.push(range);
    if (ranges.length < RANGES_PER_DISCARD) continue;
    yield command();
    ranges = [];
  }
  if (ranges.length > 0) yield command();
}
