// What the other thread that places has counted: written by it, read by the thread that decides.

/** Counters of target pages that both threads have. */
export const PAGE_COUNTS = ['backgroundPages', 'requestedPages', 'zeroPages', 'duplicatePages'] as const;
/** One of them. */
export type PageCountName = (typeof PAGE_COUNTS)[number];
/** Target pages by kind. */
export type PageCounts = Readonly<Record<PageCountName, number>>;

/** Counts in shared memory with one writer; all zero where nobody writes them. */
export class CountsElsewhere {
  /** Goes to the writer: a word for each counter, and one for the placed host pages of each block. */
  readonly words: Uint32Array;

  constructor(blockCount: number, buffer = new SharedArrayBuffer(4 * (PAGE_COUNTS.length + blockCount))) {
    this.words = new Uint32Array(buffer);
  }

  /** By the writer. */
  write(pages: PageCounts, placedCounts: readonly number[]): void {
    for (const [at, name] of PAGE_COUNTS.entries()) Atomics.store(this.words, at, pages[name]);
    for (const [block, count] of placedCounts.entries())
      Atomics.store(this.words, PAGE_COUNTS.length + block, count);
  }

  pages(name: PageCountName): number {
    return Atomics.load(this.words, PAGE_COUNTS.indexOf(name));
  }

  /** Host pages of a block that were placed. */
  placed(block: number): number {
    return Atomics.load(this.words, PAGE_COUNTS.length + block);
  }
}
