// Exact percentiles of sorted values, by nearest rank.

/**
 * The nearest-rank percentile: the smallest of the values that at least `perMille` thousandths of them do not exceed.
 * It is always one of the values, never interpolated. `null` without values.
 *
 * @param sorted - values in ascending order
 * @param perMille - 1 to 1000; an integer, so that the rank is exact (0.07 * 100 is more than 7 in floating point)
 */
export function nearestRank(sorted: Float64Array, perMille: number): number | null {
  if (sorted.length === 0) return null;
  const rank = Math.max(1, Math.ceil((perMille * sorted.length) / 1000));
  return sorted[rank - 1]!;
}
