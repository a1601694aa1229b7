// Stalls as they come, in bounded memory: QEMU's buckets, and percentiles within 2 %.
import { LATENCY_BUCKET_COUNT, latencyBucket } from './latency-buckets.ts';

/** Steps for each doubling: a percentile is good to 2^(1/32). */
const STEPS_PER_DOUBLING = 32;
const DOUBLINGS = 48;

/** What is known of the stalls so far; times in ns, null without any. */
export interface StallFigures {
  readonly count: number;
  readonly mean: number | null;
  readonly p50: number | null;
  readonly p90: number | null;
  readonly p99: number | null;
  readonly max: number | null;
  readonly sum: number;
  readonly buckets: readonly number[];
}

/** Counts stalls. */
export class StallHistogram {
  readonly #steps = new Float64Array(DOUBLINGS * STEPS_PER_DOUBLING);
  readonly #buckets = new Array<number>(LATENCY_BUCKET_COUNT).fill(0);
  #count = 0;
  #sumNs = 0;
  #maxNs = 0;

  /** Adds a stall. */
  add(stallNs: number): void {
    const step = stallNs < 1 ? 0 : Math.floor(Math.log2(stallNs) * STEPS_PER_DOUBLING);
    this.#steps[Math.min(step, this.#steps.length - 1)]! += 1;
    this.#buckets[latencyBucket(stallNs)]! += 1;
    this.#count += 1;
    this.#sumNs += stallNs;
    this.#maxNs = Math.max(this.#maxNs, stallNs);
  }

  figures(): StallFigures {
    const count = this.#count;
    const isEmpty = count === 0;
    return {
      count,
      mean: isEmpty ? null : this.#sumNs / count,
      p50: this.#percentile(0.5),
      p90: this.#percentile(0.9),
      p99: this.#percentile(0.99),
      max: isEmpty ? null : this.#maxNs,
      sum: this.#sumNs,
      buckets: [...this.#buckets],
    };
  }

  /** The upper edge of the step in which the percentile lies. */
  #percentile(share: number): number | null {
    if (this.#count === 0) return null;
    let left = Math.ceil(this.#count * share);
    const step = this.#steps.findIndex((count) => {
      left -= count;
      return left <= 0;
    });
    return Math.min(this.#maxNs, 2 ** ((step + 1) / STEPS_PER_DOUBLING));
  }
}
