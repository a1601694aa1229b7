// How far the clocks of the two ends are apart, as the shortest round trip tells it.
import type { PingRecord, PongRecord } from './request-record.ts';

/** The destination's clock beside the source's. */
export interface ClockAlignment {
  /** What the destination's clock shows, less what the source's does. As estimated, even if it is one clock. */
  readonly offsetNs: number;
  /** The offset is wrong by no more than this: half of the round trip. */
  readonly uncertaintyNs: number;
  /** The shortest that there was. */
  readonly roundTripNs: number;
  /**
   * Whether both ends read one clock: no difference at all is within the uncertainty. Clocks count from the boot of their
   * machine, and no two machines boot within microseconds of each other.
   */
  readonly isOneClock: boolean;
}

/**
 * Aligns the clocks by the PING with the shortest round trip: it was answered somewhere between its leaving and its
 * answer's coming. Null if no PING is known to both ends.
 */
export function alignClocks(
  pings: readonly PingRecord[],
  pongs: readonly PongRecord[],
): ClockAlignment | null {
  const answers = new Map(pongs.map(({ value, answeredNs }) => [value, answeredNs]));
  let best: { ping: PingRecord; atNs: number } | undefined;
  for (const ping of pings) {
    const atNs = answers.get(ping.value);
    if (atNs === undefined) continue;
    if (best !== undefined && roundTripOf(ping) >= roundTripOf(best.ping)) continue;
    best = { ping, atNs };
  }
  if (best === undefined) return null;
  const roundTripNs = roundTripOf(best.ping);
  // In whole ns, so that a stall is split into whole ones and its parts add up to it exactly.
  const uncertaintyNs = Math.ceil(roundTripNs / 2);
  const offsetNs = Math.round(best.atNs - best.ping.sentNs - roundTripNs / 2);
  return { offsetNs, uncertaintyNs, roundTripNs, isOneClock: Math.abs(offsetNs) <= uncertaintyNs };
}

function roundTripOf({ sentNs, answeredNs }: PingRecord): number {
  return answeredNs - sentNs;
}

/** What to add to a time of the source to have it by the destination's clock. */
export function shiftOf({ offsetNs, isOneClock }: ClockAlignment): number {
  return isOneClock ? 0 : offsetNs;
}
