// Measures what an emulated link carried, beside what was asked of it. Pure: told all times.
import type { Departure } from './link-clock.ts';
import type { LinkDirectionSpec } from './link-spec.ts';

/** In a stretch of this length it counts that its last bytes came late; in a shorter one it would weigh too much. */
const LONG_STRETCH_NS = 10e6;
/** Buckets of lateness for each doubling: percentiles are good to 9 %. */
const BUCKETS_PER_DOUBLING = 8;
const BUCKET_COUNT = 48 * BUCKETS_PER_DOUBLING;

/** What one direction of the link did. */
export interface LinkDirectionFigures extends LinkDirectionSpec {
  /** All that arrived. */
  readonly carriedBytes: number;
  /**
   * Rate while the link was busy: from bytes that find it free until the source has nothing more to send. A source that is
   * still making more counts as busy, so a machine that is slower than the link shows here. Null if nothing was sent.
   */
  readonly carriedBytesPerSecond: number | null;
  readonly busyNs: number;
  /** How long bytes waited because the peer, or the kernel between, took no more. */
  readonly heldBackNs: number;
  /** How much later than it should bytes were handed over; null if there were none. */
  readonly lateNs: { readonly p50: number; readonly p99: number; readonly max: number } | null;
}

interface BusyTime {
  ns: number;
  bytes: number;
}

/** Time in which the link was busy. */
export interface Stretch {
  readonly beginsNs: number;
  leftNs: number;
  /** When its last bytes really arrived. */
  arrivedNs: number;
  bytes: number;
  /** Departures that were not delivered yet. */
  outstanding: number;
  isOver: boolean;
  /** Where it counts. */
  readonly busy: BusyTime;
}

/** Meter of one direction. */
export class LinkMeter {
  #spec: LinkDirectionSpec;
  readonly #lateCounts = new Float64Array(BUCKET_COUNT);
  #lateCount = 0;
  #lateMaxNs = 0;
  #current: Stretch | undefined;
  #carriedBytes = 0;
  #isPaused = false;
  #busy: BusyTime = { ns: 0, bytes: 0 };
  #heldBackNs = 0;

  constructor(spec: LinkDirectionSpec) {
    this.#spec = spec;
  }

  /** It is another link from now on, whose rate is measured anew. */
  reshape(spec: LinkDirectionSpec): void {
    this.#spec = spec;
    this.#current = undefined;
    this.#busy = { ns: 0, bytes: 0 };
  }

  /** Bytes leave; departures follow each other in time. Give the stretch back to `delivered`. */
  sent(lengthBytes: number, { beginsNs, leftNs }: Departure): Stretch {
    let stretch = this.#current;
    if (stretch === undefined || (this.#isPaused && beginsNs > stretch.leftNs)) {
      if (stretch !== undefined) this.#close(stretch);
      stretch = { beginsNs, leftNs, arrivedNs: 0, bytes: 0, outstanding: 0, isOver: false, busy: this.#busy };
      this.#current = stretch;
    }
    this.#isPaused = false;
    stretch.leftNs = leftNs;
    stretch.bytes += lengthBytes;
    stretch.outstanding += 1;
    return stretch;
  }

  /** Bytes were handed over, which should have been at `arrivesNs`. */
  delivered(lengthBytes: number, stretch: Stretch, arrivesNs: number, nowNs: number): void {
    const lateNs = nowNs - arrivesNs;
    const bucket =
      lateNs < 1 ? 0 : Math.min(BUCKET_COUNT - 1, Math.floor(Math.log2(lateNs) * BUCKETS_PER_DOUBLING));
    this.#lateCounts[bucket]! += 1;
    this.#lateCount += 1;
    this.#lateMaxNs = Math.max(this.#lateMaxNs, lateNs);
    this.#carriedBytes += lengthBytes;
    stretch.arrivedNs = Math.max(stretch.arrivedNs, nowNs);
    stretch.outstanding -= 1;
    if (stretch.isOver && stretch.outstanding === 0) this.#add(stretch, stretch.busy);
  }

  /** There is nothing more to send for now: a gap that follows is no shortcoming of the link. */
  pause(): void {
    this.#isPaused = true;
  }

  /** Bytes waited for the peer. */
  heldBack(durationNs: number): void {
    this.#heldBackNs += durationNs;
  }

  /** What was measured until now. */
  figures(): LinkDirectionFigures {
    const busy = { ...this.#busy };
    if (this.#current?.outstanding === 0) this.#add(this.#current, busy);
    return {
      ...this.#spec,
      carriedBytes: this.#carriedBytes,
      carriedBytesPerSecond: busy.ns === 0 ? null : (busy.bytes * 1e9) / busy.ns,
      busyNs: busy.ns,
      heldBackNs: this.#heldBackNs,
      lateNs:
        this.#lateCount === 0
          ? null
          : { p50: this.#latePercentile(0.5), p99: this.#latePercentile(0.99), max: this.#lateMaxNs },
    };
  }

  #close(stretch: Stretch): void {
    stretch.isOver = true;
    if (stretch.outstanding === 0) this.#add(stretch, stretch.busy);
  }

  /** The end of a long one is the real one, so bytes that came late count against the rate. */
  #add(stretch: Stretch, to: BusyTime): void {
    const lateNs = Math.max(0, stretch.arrivedNs - this.#spec.delayNs - stretch.leftNs);
    const ns = stretch.leftNs - stretch.beginsNs;
    to.ns += ns + (ns >= LONG_STRETCH_NS ? lateNs : 0);
    to.bytes += stretch.bytes;
  }

  /** The upper edge of the bucket in which the percentile lies. */
  #latePercentile(share: number): number {
    let left = Math.ceil(this.#lateCount * share);
    const bucket = this.#lateCounts.findIndex((count) => {
      left -= count;
      return left <= 0;
    });
    return Math.min(this.#lateMaxNs, 2 ** ((bucket + 1) / BUCKETS_PER_DOUBLING));
  }
}
