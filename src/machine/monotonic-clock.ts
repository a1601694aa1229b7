// The clock of all marks: monotonic, the same for all processes of one machine.

/** Nanoseconds of CLOCK_MONOTONIC; exact to the nanosecond for the first 104 days after the machine's start. */
export function monotonicNs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e9 + nanoseconds;
}
