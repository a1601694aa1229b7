// What an emulated link was asked for and what it carried, as a result tells it: figures, and a verdict in words.
import type { RoundTrips } from './round-trips.ts';

/** One direction of an emulated link. */
export interface LinkDirectionResult {
  /** The rate that was asked for. */
  readonly bytesPerSecond: number;
  /** From the moment at which a bit has left to the one at which it arrives. */
  readonly delayNs: number;
  readonly queueBytes: number;
  readonly carriedBytes: number;
  /** Achieved while the link was busy; `null` if nothing was sent. */
  readonly carriedBytesPerSecond: number | null;
  /** How long it was busy: a source that is still making more bytes counts, one that waits for an answer does not. */
  readonly busyNs: number;
  /** How long bytes waited because the peer, or the kernel between, took no more. */
  readonly heldBackNs: number;
  /** How much later than it should bytes were handed over; `null` if there were none. */
  readonly lateNs: { readonly p50: number; readonly p99: number; readonly max: number } | null;
}

/** The emulated link of a migration. */
export interface LinkResult {
  readonly forward: LinkDirectionResult;
  readonly returnPath: LinkDirectionResult;
  /** As PING and PONG measured it, at the source. */
  readonly roundTrip: RoundTrips & { readonly askedNs: number };
  /** Whether this machine carried what was asked, in words. */
  readonly verdict: string;
}

/** A link carries what is asked if it misses it by no more than this share. */
const TOLERANCE = 0.02;
/** Less than this of a busy link says nothing about its rate. */
const LEAST_BUSY_NS = 10e6;
const BIT_UNITS = ['bit/s', 'kbit/s', 'Mbit/s', 'Gbit/s'] as const;

/** A rate in bits: `14.2 Gbit/s`. */
export function formatBitRate(bytesPerSecond: number): string {
  let value = bytesPerSecond * 8;
  let unit = 0;
  for (; unit < BIT_UNITS.length - 1 && value >= 999.5; unit += 1) value /= 1000;
  return `${Number(value.toPrecision(3))} ${BIT_UNITS[unit]}`;
}

/** Whether a direction was busy for long enough to tell its rate, and missed what was asked. */
export function missesItsRate({
  busyNs,
  bytesPerSecond,
  carriedBytesPerSecond,
}: LinkDirectionResult): boolean {
  if (busyNs < LEAST_BUSY_NS || carriedBytesPerSecond === null) return false;
  return carriedBytesPerSecond < bytesPerSecond * (1 - TOLERANCE);
}

function directionVerdict(direction: LinkDirectionResult): string {
  const { bytesPerSecond, carriedBytesPerSecond, busyNs, heldBackNs } = direction;
  const asked = `asked ${formatBitRate(bytesPerSecond)}`;
  if (busyNs < LEAST_BUSY_NS || carriedBytesPerSecond === null) {
    return `${asked}, busy for too short a time to tell what it carried`;
  }
  const carried = `${asked}, carried ${formatBitRate(carriedBytesPerSecond)}`;
  if (!missesItsRate(direction)) return carried;
  // What was missing, and how much of that the peer is to blame for.
  const missingNs = busyNs * (1 - carriedBytesPerSecond / bytesPerSecond);
  return heldBackNs > missingNs / 2
    ? `${carried}: the destination took no more`
    : `${carried}: this machine was no faster`;
}

/** Says whether what was asked was carried. The return path is named only where it was busy. */
export function linkVerdict(forward: LinkDirectionResult, returnPath: LinkDirectionResult): string {
  const back = returnPath.busyNs < LEAST_BUSY_NS ? '' : `; return path: ${directionVerdict(returnPath)}`;
  return directionVerdict(forward) + back;
}
