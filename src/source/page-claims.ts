// Which of two threads sends a placement page after the switchover: each is sent by the one that claims it first.
import { pagesIn } from '../machine/ram-memory.ts';
import type { PageUnit, PlacedBlock } from './page-unit.ts';

const FREE = 0;

/** The threads that send pages: that of the main channel, and that which answers requests on the preempt channel. */
export const CLAIMANT = { MAIN: 1, PREEMPT: 2 } as const;
/** One of them. */
export type Claimant = (typeof CLAIMANT)[keyof typeof CLAIMANT];

/** Claims as they go from thread to thread: a byte for each placement page, by block. */
export type SharedPageClaims = readonly SharedArrayBuffer[];

/** The claims of all placement pages. Nobody gives one back. */
export class PageClaims {
  readonly shared: SharedPageClaims;
  readonly #owners: ReadonlyMap<PlacedBlock, Uint8Array>;

  static allocate(blocks: readonly PlacedBlock[]): PageClaims {
    return new PageClaims(
      blocks,
      blocks.map(
        ({ ram, placementPageBytes }) =>
          new SharedArrayBuffer(Math.ceil(ram.lengthBytes / placementPageBytes)),
      ),
    );
  }

  constructor(blocks: readonly PlacedBlock[], shared: SharedPageClaims) {
    this.shared = shared;
    this.#owners = new Map(blocks.map((block, index) => [block, new Uint8Array(shared[index]!)]));
  }

  /** Claims a placement page; returns whether it is the claimant's, now or since before. */
  take({ block, firstPage, pageCount }: PageUnit, claimant: Claimant): boolean {
    const owners = this.#owners.get(block)!;
    const before = Atomics.compareExchange(owners, firstPage / pageCount, FREE, claimant);
    return before === FREE || before === claimant;
  }

  /** Whether this claimant has the placement page that holds a target page. */
  has(block: PlacedBlock, page: number, claimant: Claimant): boolean {
    const pagesPerUnit = pagesIn(block.placementPageBytes);
    return Atomics.load(this.#owners.get(block)!, Math.floor(page / pagesPerUnit)) === claimant;
  }
}
