// Figures that the thread of a channel writes and others read: a row of numbers in shared memory.

/** Figures of a run, by their place in the row. Counts of pages are target pages, and count from the begin of the run. */
export const RUN_FIGURE = {
  WIRE_BYTES: 0,
  PRECOPY_PAGES: 1,
  BACKGROUND_PAGES: 2,
  REQUESTED_PAGES: 3,
  ZERO_PAGES: 4,
  DISCARDED_PAGES: 5,
  DUPLICATE_PAGES: 6,
  /** Page requests: that came at the source. */
  REQUESTS: 7,
  /** Best rate of the wire over a short window; 0 if none is known. */
  PEAK_BYTES_PER_SECOND: 8,
  /** 1 while the push is paused. */
  PUSH_PAUSED: 9,
} as const;
/** One value of `RUN_FIGURE`. */
export type RunFigure = (typeof RUN_FIGURE)[keyof typeof RUN_FIGURE];

const FIGURE_COUNT = Object.keys(RUN_FIGURE).length;

/** One thread writes, any reads; plain 64-bit stores, aligned, hence whole. What is read may be a batch old. */
export class SharedFigures {
  readonly shared: SharedArrayBuffer;
  readonly #row: Float64Array;

  constructor(shared = new SharedArrayBuffer(FIGURE_COUNT * 8)) {
    this.shared = shared;
    this.#row = new Float64Array(shared);
  }

  /** By the one thread that counts. */
  set(figure: RunFigure, value: number): void {
    this.#row[figure] = value;
  }

  get(figure: RunFigure): number {
    return this.#row[figure]!;
  }
}
