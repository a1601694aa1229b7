// The floor of a stall: the time that the wire alone needs for a page.
import { formatBitRate } from '../telemetry/link-result.ts';
import { wireBytesOfPage } from '../telemetry/wire-rate.ts';

/** A link that somebody told of, emulated or real. */
export interface KnownLink {
  readonly bytesPerSecond: number;
  readonly rttNs: number;
}

/**
 * Time in ns for a page of so many bytes, undefined where no rate is known. On a known link the request, which travels
 * first, counts too; else the rate is the best that was achieved, and nothing is known of the way.
 */
export function floorOf(
  link: KnownLink | undefined,
  peakBytesPerSecond: number | null,
): (pageBytes: number) => number | undefined {
  const { bytesPerSecond, rttNs } = link ?? { bytesPerSecond: peakBytesPerSecond ?? 0, rttNs: 0 };
  return (pageBytes) =>
    bytesPerSecond === 0 ? undefined : (wireBytesOfPage(pageBytes) * 1e9) / bytesPerSecond + rttNs;
}

/** What a result says of the link. */
export function floorNote(link: KnownLink | undefined): string {
  if (link === undefined) return 'as achieved by this migration, not shaped';
  const { bytesPerSecond, rttNs } = link;
  return `said to be of ${formatBitRate(bytesPerSecond)} with an RTT of ${rttNs / 1e3} us, from which the floors follow`;
}
