// Sleeps of tens of microseconds, which timers of Node cannot give.
import { readlinkSync, writeFileSync } from 'node:fs';

/** How late a sleep ends: from the kernel's timer to the thread, and without the fine timer what it may put off. */
const WAKE_NS = { fine: 20_000, coarse: 80_000 } as const;

/**
 * Puts off the wake-ups of this thread by 1 ns at most, where Linux would by up to 50 us to save power; returns whether
 * that is so now. It concerns this thread alone and ends with it.
 */
function makeTimersFine(): boolean {
  try {
    const thread = readlinkSync('/proc/thread-self').split('/').at(-1)!;
    writeFileSync(`/proc/${thread}/timerslack_ns`, '1');
    return true;
  } catch {
    return false; // not Linux, or without /proc
  }
}

/** Sleeps of the thread that makes it; meanwhile that thread does nothing else. */
export class FineSleep {
  /** Sleep so much less than you mean to. */
  readonly wakeNs: number;
  readonly #nobody = new Int32Array(new SharedArrayBuffer(4));

  constructor() {
    this.wakeNs = makeTimersFine() ? WAKE_NS.fine : WAKE_NS.coarse;
  }

  sleep(durationNs: number): void {
    Atomics.wait(this.#nobody, 0, 0, durationNs / 1e6);
  }
}
