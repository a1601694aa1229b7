// The placement page, the unit in which pages are sent after the switchover.
import type { RamBlock } from '../machine/ram-block.ts';
import { pagesIn } from '../machine/ram-memory.ts';

/** A block and how it is placed. */
export interface PlacedBlock {
  readonly ram: RamBlock;
  readonly placementPageBytes: number;
  /** Host page at the destination, which may be larger; without it, or where nobody told, the placement page. */
  readonly hostPageBytes?: number | undefined;
}

/** A run of target pages that is sent whole and contiguous. */
export interface PageUnit {
  readonly block: PlacedBlock;
  readonly firstPage: number;
  readonly pageCount: number;
  /** Whether a vCPU waits for it. */
  readonly isRequested: boolean;
}

/** The placement page that holds a target page. */
export function unitOf(block: PlacedBlock, page: number, isRequested: boolean): PageUnit {
  const pageCount = pagesIn(block.placementPageBytes);
  return { block, firstPage: page - (page % pageCount), pageCount, isRequested };
}
