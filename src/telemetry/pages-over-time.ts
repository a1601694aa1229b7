// Samples how many target pages are present over the time of a migration, in a bounded number of points.

/** Target pages that are present at one moment. */
export interface PresentPages {
  /** Of all of them. */
  readonly present: number;
  /** Of these, came in postcopy while nobody waited for them. */
  readonly background: number;
  /** Of these, came in postcopy while a vCPU waited for them. The rest came in precopy. */
  readonly requested: number;
}

/** The series: a column for each figure, all equally long, in order of time. */
export interface PagesOverTime {
  /** All target pages of RAM. */
  readonly totalPages: number;
  /** Since the source connected, in ns. */
  readonly elapsedNs: readonly number[];
  readonly present: readonly number[];
  readonly background: readonly number[];
  readonly requested: readonly number[];
}

/** As many points as a plot has use for. */
export const MOST_POINTS = 200;
/** Time between two points of a short migration. */
export const LEAST_INTERVAL_NS = 5e6;

/**
 * Keeps the series. Pure: told the time, never asks for it. When it is full every other point goes, and from then on the
 * points are twice as far apart: an hour takes no more memory than a second.
 */
export class PagesOverTimeSeries {
  #points: (PresentPages & { readonly elapsedNs: number })[] = [];
  #intervalNs = LEAST_INTERVAL_NS;

  /** Whether a point is due. */
  isDue(elapsedNs: number): boolean {
    const last = this.#points.at(-1);
    return last === undefined || elapsedNs - last.elapsedNs >= this.#intervalNs;
  }

  /** Adds a point, due or not. */
  add(elapsedNs: number, { present, background, requested }: PresentPages): void {
    if (this.#points.length === MOST_POINTS) {
      this.#points = this.#points.filter((_, index) => index % 2 === 0);
      this.#intervalNs *= 2;
    }
    this.#points.push({ elapsedNs, present, background, requested });
  }

  /** The series so far. */
  columns(totalPages: number): PagesOverTime {
    return {
      totalPages,
      elapsedNs: this.#points.map(({ elapsedNs }) => elapsedNs),
      present: this.#points.map(({ present }) => present),
      background: this.#points.map(({ background }) => background),
      requested: this.#points.map(({ requested }) => requested),
    };
  }
}
