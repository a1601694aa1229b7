// Keeps the bytes of one kind under a bandwidth. Pure: told the time, never asks for it.

/** Unused bandwidth may be caught up on for so long. */
const BURST_MS = 10;

/** A request that comes waits for what was begun, so under a bandwidth limit no more is begun than leaves in this time. */
const BATCH_MS = 5;

/** How many bytes to send at once under a bandwidth in bytes per second; 0 is unlimited. */
export function batchBytesOf(bytesPerSecond: number): number {
  return bytesPerSecond === 0 ? Number.POSITIVE_INFINITY : (bytesPerSecond / 1000) * BATCH_MS;
}

/** A limit in bytes per second; 0 is unlimited. */
export class BandwidthLimit {
  readonly #bytesPerMs: number;
  #nextMs = 0;

  constructor(bytesPerSecond: number) {
    this.#bytesPerMs = bytesPerSecond / 1000;
  }

  /** How long to wait, in ms, before these bytes may leave. */
  pauseMs(lengthBytes: number, nowMs: number): number {
    if (this.#bytesPerMs === 0) return 0;
    const startMs = Math.max(this.#nextMs, nowMs - BURST_MS);
    this.#nextMs = startMs + lengthBytes / this.#bytesPerMs;
    return Math.max(0, startMs - nowMs);
  }
}
