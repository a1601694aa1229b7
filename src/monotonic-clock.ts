// The one clock that all times of a migration are read from.

/**
 * Monotonic time in ns. All threads of all processes of one machine read the same clock, so times taken in
 * different threads may be subtracted (`performance.now()` starts at zero in each thread and may not).
 * A number holds it exactly for the first 104 days after the boot of the machine, and to 2 ns for 208 days.
 */
export function monotonicNs(): number {
  return Number(process.hrtime.bigint());
}
