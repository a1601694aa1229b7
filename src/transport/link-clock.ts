// The clock of an emulated link's direction: when bytes leave and arrive, and until when its queue is full. Pure.
import type { LinkDirectionSpec } from './link-spec.ts';

/** What becomes of bytes that the link took. */
export interface Departure {
  /** When the first bit began to leave. */
  readonly beginsNs: number;
  /** When the last bit has left. */
  readonly leftNs: number;
  /** When the last bit arrives. */
  readonly arrivesNs: number;
}

/** First in, first out. Told the time, never asks for it; times must not go back. */
export class LinkClock {
  #spec: LinkDirectionSpec;
  // Of the stretch without a pause that the link is in, or was in last. Times are computed from its beginning, so that
  // rounding does not add up.
  #busySinceNs = 0;
  #busyBytes = 0;

  constructor(spec: LinkDirectionSpec) {
    this.#spec = spec;
  }

  /** Another rate, delay and queue from now on; bytes that were taken leave and arrive as they were to. */
  reshape(spec: LinkDirectionSpec): void {
    this.#busySinceNs = this.freeNs;
    this.#busyBytes = 0;
    this.#spec = spec;
  }

  /** How long bytes take to leave. */
  durationNs(lengthBytes: number): number {
    return (lengthBytes * 1e9) / this.#spec.bytesPerSecond;
  }

  /** When all that was taken has left. */
  get freeNs(): number {
    return this.#busySinceNs + this.durationNs(this.#busyBytes);
  }

  /** From when on the queue has room for so many bytes; more than fit in have to find it empty. */
  roomNs(lengthBytes: number): number {
    return this.freeNs - this.durationNs(Math.max(0, this.#spec.queueBytes - lengthBytes));
  }

  /** Takes bytes that are there at `nowNs`; undefined, and nothing is taken, if the queue has no room before `roomNs`. */
  take(lengthBytes: number, nowNs: number): Departure | undefined {
    if (nowNs < this.roomNs(lengthBytes)) return undefined;
    const freeNs = this.freeNs;
    const beginsNs = Math.max(freeNs, nowNs);
    if (nowNs > freeNs) {
      this.#busySinceNs = nowNs;
      this.#busyBytes = 0;
    }
    this.#busyBytes += lengthBytes;
    const leftNs = this.freeNs;
    return { beginsNs, leftNs, arrivesNs: leftNs + this.#spec.delayNs };
  }
}
