// Estimates the downtime that a switchover now would cost, as QEMU's source does (rules M1 to M4).
import { GuestError } from '../errors.ts';

/** QEMU's default downtime limit, and the expected downtime before anything was measured. */
export const INITIAL_DOWNTIME_LIMIT_NS = 300_000_000;
/** The bandwidth is taken over at least this long (QEMU's BUFFER_DELAY). */
const BANDWIDTH_INTERVAL_NS = 100_000_000;
/** The dirty rate is taken over at least this long, from one bitmap sync to another. */
const DIRTY_RATE_INTERVAL_NS = 1_000_000_000;
/** An interval in which no more was sent does not change the expected downtime. */
const MIN_INTERVAL_BYTES = 10_000;

/** What the source knows at one moment. The first six are QEMU's figures, updated only when QEMU would. */
export interface DowntimeEstimate {
  /** Remaining bytes at the last bitmap sync / bandwidth: QEMU since 3.0 (commit 650af8907b of 2018). */
  readonly expectedDowntimeNs: number;
  /** Dirty rate * target page / bandwidth: QEMU before 3.0. */
  readonly expectedDowntimeOldNs: number;
  /** Over the last whole interval of at least 100 ms; `null` before the first one ends. */
  readonly bandwidthBytesPerSecond: number | null;
  /** 0 until two bitmap syncs at least 1000 ms apart: both expected downtimes stay at the limit until then. */
  readonly dirtyPagesPerSecond: number;
  /** Bandwidth * downtime limit; `null` as long as the bandwidth is. */
  readonly thresholdBytes: number | null;
  /** Whether nothing remained at the last sync, or less than the threshold (M4 as in 7.2). */
  readonly converges: boolean;
}

/**
 * The same figures from one pass alone: what it sent, how long it took, what the sync at its end found.
 * QEMU has no such thing. It is for passes too short for QEMU's intervals, and never mixed with QEMU's figures.
 * All but `converges` are `null` where the pass sent nothing or took no time.
 */
export interface PassOwnEstimate {
  readonly expectedDowntimeNs: number | null;
  readonly expectedDowntimeOldNs: number | null;
  readonly bandwidthBytesPerSecond: number | null;
  readonly dirtyPagesPerSecond: number | null;
  readonly thresholdBytes: number | null;
  readonly converges: boolean;
}

/** One precopy pass, from one bitmap sync to the next. The estimate is QEMU's, as it stood just before the closing sync. */
export interface PassEstimate extends DowntimeEstimate {
  /** Number of the pass, from 1. */
  readonly pass: number;
  readonly durationNs: number;
  readonly bytesSent: number;
  /** Dirty target pages * target page size, as the closing sync found them (M1). */
  readonly remainingBytes: number;
  /** Target pages that the closing sync found newly dirty. */
  readonly pagesDirtied: number;
  /** Whether QEMU's expected downtimes were updated at least once during this pass; else they are older, or still the limit. */
  readonly updatedInPass: boolean;
  /** The figures over this pass alone. */
  readonly overPass: PassOwnEstimate;
}

/** What a bitmap sync found. */
export interface BitmapSync {
  readonly nowNs: number;
  /** Dirty target pages * target page size after the sync. */
  readonly remainingBytes: number;
  /** Target pages that were clean before this sync and dirty after it. */
  readonly pagesDirtied: number;
}

/** Where the sending stands. */
export interface SendProgress {
  readonly nowNs: number;
  /** All bytes sent since the migration began (not since the last call). */
  readonly bytesSent: number;
}

/** Start and constants of an estimator. */
export interface DowntimeOptions {
  readonly startNs: number;
  /** QEMU's `downtime-limit`; 300 ms by default. */
  readonly initialDowntimeLimitNs?: number;
  /** 4096 by default. */
  readonly targetPageBytes?: number;
}

/**
 * Estimator of the downtime. Pure: told the time, never asks for it.
 *
 * Call `onProgress` after each batch that was sent and just before each sync, and `onSync` at each bitmap sync; the
 * first sync opens pass 1, each later one closes a pass and opens the next.
 */
export class DowntimeEstimator {
  readonly #downtimeLimitNs: number;
  readonly #targetPageBytes: number;
  #intervalStartNs: number;
  #intervalStartBytes = 0;
  #bytesSent = 0;
  #remainingBytes: number | null = null;
  #ratePeriodStartNs: number | null = null;
  #ratePeriodPages = 0;
  #dirtyPagesPerSecond = 0;
  #bandwidthBytesPerSecond: number | null = null;
  #expectedDowntimeNs: number;
  #expectedDowntimeOldNs: number;
  #passStartNs = 0;
  #passStartBytes = 0;
  #updatedInPass = false;
  readonly #passes: PassEstimate[] = [];

  constructor(options: DowntimeOptions) {
    this.#downtimeLimitNs = options.initialDowntimeLimitNs ?? INITIAL_DOWNTIME_LIMIT_NS;
    this.#targetPageBytes = options.targetPageBytes ?? 4096;
    this.#intervalStartNs = options.startNs;
    this.#expectedDowntimeNs = this.#downtimeLimitNs;
    this.#expectedDowntimeOldNs = this.#downtimeLimitNs;
  }

  /** The passes closed so far. */
  get passes(): readonly PassEstimate[] {
    return this.#passes;
  }

  /** QEMU's figures as they stand. */
  estimate(): DowntimeEstimate {
    const thresholdBytes = this.#thresholdBytes(this.#bandwidthBytesPerSecond);
    return {
      expectedDowntimeNs: this.#expectedDowntimeNs,
      expectedDowntimeOldNs: this.#expectedDowntimeOldNs,
      bandwidthBytesPerSecond: this.#bandwidthBytesPerSecond,
      dirtyPagesPerSecond: this.#dirtyPagesPerSecond,
      thresholdBytes,
      converges: this.#remainingBytes !== null && isBelow(this.#remainingBytes, thresholdBytes),
    };
  }

  /**
   * Takes in how much was sent. Changes an estimate only where QEMU would: the bandwidth at least 100 ms after the
   * last change, the expected downtimes if in addition the dirty rate is not 0 and more than 10000 bytes were sent.
   *
   * @throws GuestError `downtime-bytes-decreased` if less was sent than at the last call; our own bug
   */
  onProgress({ nowNs, bytesSent }: SendProgress): void {
    if (bytesSent < this.#bytesSent) {
      throw new GuestError(
        'downtime-bytes-decreased',
        `expected at least ${this.#bytesSent} bytes sent since the migration began; found ${bytesSent}`,
      );
    }
    this.#bytesSent = bytesSent;
    const elapsedNs = nowNs - this.#intervalStartNs;
    if (elapsedNs < BANDWIDTH_INTERVAL_NS) return;
    const intervalBytes = bytesSent - this.#intervalStartBytes;
    this.#bandwidthBytesPerSecond = (intervalBytes * 1e9) / elapsedNs;
    if (this.#dirtyPagesPerSecond !== 0 && intervalBytes > MIN_INTERVAL_BYTES) {
      const dirtyBytesPerSecond = this.#dirtyPagesPerSecond * this.#targetPageBytes;
      // The rate is not 0, so there was a sync, and it has set the remaining bytes.
      this.#expectedDowntimeNs = (this.#remainingBytes! * 1e9) / this.#bandwidthBytesPerSecond;
      this.#expectedDowntimeOldNs = (dirtyBytesPerSecond * 1e9) / this.#bandwidthBytesPerSecond;
      this.#updatedInPass = true;
    }
    this.#intervalStartNs = nowNs;
    this.#intervalStartBytes = bytesSent;
  }

  /** Takes in a bitmap sync. Gives the pass that it closes; `undefined` for the first one, which closes none. */
  onSync({ nowNs, remainingBytes, pagesDirtied }: BitmapSync): PassEstimate | undefined {
    let closed: PassEstimate | undefined;
    if (this.#ratePeriodStartNs === null) {
      // As in QEMU, the first period begins with the first sync, and what that sync found counts into it.
      this.#ratePeriodStartNs = nowNs;
    } else {
      closed = this.#closePass({ nowNs, remainingBytes, pagesDirtied });
      this.#passes.push(closed);
    }
    this.#ratePeriodPages += pagesDirtied;
    const periodNs = nowNs - this.#ratePeriodStartNs;
    if (periodNs >= DIRTY_RATE_INTERVAL_NS) {
      this.#dirtyPagesPerSecond = (this.#ratePeriodPages * 1e9) / periodNs;
      this.#ratePeriodStartNs = nowNs;
      this.#ratePeriodPages = 0;
    }
    this.#remainingBytes = remainingBytes;
    this.#passStartNs = nowNs;
    this.#passStartBytes = this.#bytesSent;
    this.#updatedInPass = false;
    return closed;
  }

  #closePass({ nowNs, remainingBytes, pagesDirtied }: BitmapSync): PassEstimate {
    const durationNs = nowNs - this.#passStartNs;
    const bytesSent = this.#bytesSent - this.#passStartBytes;
    const bandwidth = durationNs > 0 && bytesSent > 0 ? (bytesSent * 1e9) / durationNs : null;
    const dirtyRate = durationNs > 0 ? (pagesDirtied * 1e9) / durationNs : null;
    const oldNs =
      bandwidth === null || dirtyRate === null ? null : (dirtyRate * this.#targetPageBytes * 1e9) / bandwidth;
    const thresholdBytes = this.#thresholdBytes(bandwidth);
    return {
      pass: this.#passes.length + 1,
      durationNs,
      bytesSent,
      remainingBytes,
      pagesDirtied,
      ...this.estimate(),
      updatedInPass: this.#updatedInPass,
      overPass: {
        expectedDowntimeNs: bandwidth === null ? null : (remainingBytes * 1e9) / bandwidth,
        expectedDowntimeOldNs: oldNs,
        bandwidthBytesPerSecond: bandwidth,
        dirtyPagesPerSecond: dirtyRate,
        thresholdBytes,
        converges: isBelow(remainingBytes, thresholdBytes),
      },
    };
  }

  #thresholdBytes(bandwidthBytesPerSecond: number | null): number | null {
    return bandwidthBytesPerSecond === null ? null : (bandwidthBytesPerSecond * this.#downtimeLimitNs) / 1e9;
  }
}

/** Rule M4 as in 7.2: nothing remains, or less than the threshold. */
function isBelow(remainingBytes: number, thresholdBytes: number | null): boolean {
  return remainingBytes === 0 || (thresholdBytes !== null && remainingBytes < thresholdBytes);
}
