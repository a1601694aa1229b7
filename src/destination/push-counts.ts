// Counts what the push was good for: which pages came unasked, and which of them were touched.
import type { RamImage } from '../machine/ram-block.ts';
import { SharedBitmap } from '../machine/shared-bitmap.ts';
import type { FaultRecord } from '../telemetry/fault-record.ts';
import type { PushResult } from '../telemetry/push-result.ts';

/** What happened after the switchover. */
export interface AfterSwitchover {
  readonly image: RamImage;
  /** By block: a bit for each host page that came while nobody waited for it. */
  readonly pushed: readonly SharedArrayBuffer[];
  /** In order of time. */
  readonly faults: readonly FaultRecord[];
  /** A bit for each target page, of all blocks in a row, that a vCPU touched here; undefined where nobody knows. */
  readonly touched: Uint32Array | undefined;
}

/** The counts of the destination. */
export type DestinationPush = Pick<
  PushResult,
  'faultedHostPages' | 'faultedUnderWay' | 'pushedHostPages' | 'pushedTouched' | 'pushedUntouched'
>;

/** Counts. Of the faults on a page the first one tells, since those after it found it on request. */
export function countPush({ image, pushed, faults, touched }: AfterSwitchover): DestinationPush {
  const first = new Map<string, FaultRecord>();
  for (const fault of faults) {
    const page = `${fault.hostPage} ${fault.block}`;
    if (!first.has(page)) first.set(page, fault);
  }
  const pages = image.blocks.map((block, index) => new SharedBitmap(pushed[index]!, block.hostPageCount));
  const pushedHostPages = pages.reduce((sum, bits) => sum + bits.count(), 0);
  const pushedTouched = touched === undefined ? null : countTouched(image, pages, touched);
  return {
    faultedHostPages: first.size,
    faultedUnderWay: [...first.values()].filter(({ firstByteNs, faultNs }) => firstByteNs < faultNs).length,
    pushedHostPages,
    pushedTouched,
    pushedUntouched: pushedTouched === null ? null : pushedHostPages - pushedTouched,
  };
}

function countTouched(image: RamImage, pages: readonly SharedBitmap[], touched: Uint32Array): number {
  const targetPages = SharedBitmap.allocate(touched.length * 32);
  new Uint32Array(targetPages.buffer).set(touched);
  let count = 0;
  let firstOfBlock = 0;
  for (const [index, block] of image.blocks.entries()) {
    const bits = pages[index]!;
    for (let hostPage = bits.nextSet(0); hostPage !== -1; hostPage = bits.nextSet(hostPage + 1)) {
      const from = firstOfBlock + hostPage * block.targetPagesPerHostPage;
      if (targetPages.nextSet(from, from + block.targetPagesPerHostPage) !== -1) count += 1;
    }
    firstOfBlock += block.targetPageCount;
  }
  return count;
}
