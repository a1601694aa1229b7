// The shared memory between the two threads that measure the cost of a wake-up.

/** Word in which the woken thread says which round it is about to wait in. */
export const BEGUN = 0;
/** Word in which it waits: holds the round in which it was last woken. */
export const WOKEN = 1;
/** Value of both words before the first round. */
export const NO_ROUND = 0;
/** Value of `WOKEN` that ends the thread. */
export const STOP = -1;

/** What the two threads share. */
export interface WakeCell {
  readonly words: Int32Array<SharedArrayBuffer>;
  /** One value: when the thread last ran again, monotonic ns. Published by the store to `BEGUN` that follows it. */
  readonly wokenNs: Float64Array<SharedArrayBuffer>;
}

/** A fresh cell. */
export function createWakeCell(): WakeCell {
  return {
    words: new Int32Array(new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT)),
    wokenNs: new Float64Array(new SharedArrayBuffer(Float64Array.BYTES_PER_ELEMENT)),
  };
}
