// Measures the rate of the wire: mean of the whole run, peak of a window, and from the peak the floor of a stall.

/** Bytes of a target page, the unit of the wire. */
const TARGET_PAGE_BYTES = 4096;
/** Bytes of the page word before each target page. */
const PAGE_WORD_BYTES = 8;
/** A peak is taken over at least this long: shorter ones measure socket buffers, not the wire. */
const WINDOW_NS = 50_000_000;
/** Distance of the points in time between which windows are measured; bounds the work per call and the memory. */
const CHECKPOINT_NS = 1_000_000;
/** More than one window of checkpoints, and the one before it. */
const RING_ENTRY_COUNT = 64;

/** Bytes that one page takes on the wire: each of its target pages carries a page word. Names and zero pages aside. */
export function wireBytesOfPage(pageBytes: number): number {
  return pageBytes + Math.ceil(pageBytes / TARGET_PAGE_BYTES) * PAGE_WORD_BYTES;
}

/**
 * Meter of the wire's rate. Pure: told the time, never asks for it.
 *
 * All channels of a migration share one link, so feed them all into one meter. It sees what the migration achieved, not
 * what the link could do: without a phase that fills the link the floor computed from it is too high.
 */
export class WireRate {
  readonly #startNs: number;
  #lastNs: number;
  #totalBytes = 0;
  #peakWindowBytesPerSecond = 0;
  // Ring of checkpoints. At most one of them is older than a window.
  readonly #ringNs = new Float64Array(RING_ENTRY_COUNT);
  readonly #ringBytes = new Float64Array(RING_ENTRY_COUNT);
  #oldest = 0;
  #newest = 0;

  /** @param startNs - when the first byte could have been sent; the mean counts from here */
  constructor(startNs: number) {
    this.#startNs = startNs;
    this.#lastNs = startNs;
    this.#ringNs[0] = startNs;
  }

  /**
   * Counts bytes that have passed since the last call. Channels that report late are no error: a time before the
   * last one counts as the last one.
   */
  add(bytes: number, nowNs: number): void {
    this.#totalBytes += bytes;
    this.#lastNs = Math.max(this.#lastNs, nowNs);
    if (this.#lastNs - this.#ringNs[this.#newest % RING_ENTRY_COUNT]! < CHECKPOINT_NS) return;
    this.#peakWindowBytesPerSecond = this.#peakUpToNow();
    // The checkpoint after the oldest may serve as the start of all windows to come: drop the oldest.
    while (this.#oldest < this.#newest && this.#startsWindow(this.#oldest + 1)) this.#oldest++;
    this.#newest++;
    this.#ringNs[this.#newest % RING_ENTRY_COUNT] = this.#lastNs;
    this.#ringBytes[this.#newest % RING_ENTRY_COUNT] = this.#totalBytes;
  }

  /** Bytes counted so far. */
  get totalBytes(): number {
    return this.#totalBytes;
  }

  /** Mean rate from the start to the last bytes, in bytes/s; `null` if no time has passed. */
  get meanBytesPerSecond(): number | null {
    const elapsedNs = this.#lastNs - this.#startNs;
    return elapsedNs === 0 ? null : (this.#totalBytes * 1e9) / elapsedNs;
  }

  /**
   * Highest rate over a window of 50 ms or a little more, in bytes/s; the whole run counts as a window, even if it was
   * shorter. `null` if no time has passed.
   */
  get peakBytesPerSecond(): number | null {
    const mean = this.meanBytesPerSecond;
    return mean === null ? null : Math.max(mean, this.#peakUpToNow());
  }

  /** Time in ns that the wire alone needs for one page at the peak rate; `undefined` if no rate is known. */
  floorNs(pageBytes: number): number | undefined {
    const bytesPerSecond = this.peakBytesPerSecond;
    if (bytesPerSecond === null || bytesPerSecond === 0) return undefined;
    return (wireBytesOfPage(pageBytes) * 1e9) / bytesPerSecond;
  }

  #startsWindow(checkpoint: number): boolean {
    return (
      checkpoint <= this.#newest && this.#lastNs - this.#ringNs[checkpoint % RING_ENTRY_COUNT]! >= WINDOW_NS
    );
  }

  /** Peak of the windows so far, and of the shortest one that ends now. */
  #peakUpToNow(): number {
    let start = this.#oldest;
    while (this.#startsWindow(start + 1)) start++;
    if (!this.#startsWindow(start)) return this.#peakWindowBytesPerSecond;
    const windowBytes = this.#totalBytes - this.#ringBytes[start % RING_ENTRY_COUNT]!;
    const windowNs = this.#lastNs - this.#ringNs[start % RING_ENTRY_COUNT]!;
    return Math.max(this.#peakWindowBytesPerSecond, (windowBytes * 1e9) / windowNs);
  }
}
