// Round trips as PINGs and their PONGs show them.
import { nearestRank } from './percentile.ts';

/** Round trips of a migration. */
export interface RoundTrips {
  /** PINGs that were answered. */
  readonly count: number;
  /** The least is the nearest to the link's own: all others waited behind something, or for the peer's attention. */
  readonly minNs: number | null;
  readonly p50Ns: number | null;
  readonly maxNs: number | null;
}

/** Sums round trips up. */
export function summariseRoundTrips(durationsNs: readonly number[]): RoundTrips {
  const sorted = Float64Array.from(durationsNs).sort();
  return {
    count: sorted.length,
    minNs: sorted[0] ?? null,
    p50Ns: nearestRank(sorted, 500),
    maxNs: sorted.at(-1) ?? null,
  };
}
