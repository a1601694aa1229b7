// Claims every page of a block, from one end, in step with another thread that begins at the other end.
import { parentPort, workerData } from 'node:worker_threads';
import { RamImage, type SharedRamImage } from '../../src/machine/ram-block.ts';
import { CLAIMANT, type Claimant, PageClaims, type SharedPageClaims } from '../../src/source/page-claims.ts';
import { unitOf } from '../../src/source/page-unit.ts';

/** What the thread is given. */
export interface ClaimingThreadData {
  readonly ram: SharedRamImage;
  readonly placementPageBytes: number;
  readonly claims: SharedPageClaims;
  readonly claimant: Claimant;
  /** Counts the threads that are ready. */
  readonly gate: Int32Array;
}

const THREADS = 2;
const data = workerData as ClaimingThreadData;
const block = { ram: new RamImage(data.ram).blocks[0]!, placementPageBytes: data.placementPageBytes };
const claims = new PageClaims([block], data.claims);
const pageCount = block.ram.targetPageCount;
const taken = new Uint8Array(pageCount);
Atomics.add(data.gate, 0, 1);
// Without sleeping: who was woken would come when the other has done half of it.
while (Atomics.load(data.gate, 0) < THREADS);
for (let index = 0; index < pageCount; index += 1) {
  const page = data.claimant === CLAIMANT.MAIN ? index : pageCount - 1 - index;
  if (claims.take(unitOf(block, page, false), data.claimant)) taken[page] = 1;
}
parentPort!.postMessage(taken);
