// Zipf-distributed page ranks, as YCSB draws them.

/** Skew of the distribution, YCSB's default. */
const THETA = 0.99;
/** Terms of the zeta sum that are added one by one; the rest is integrated, with an error far below 1e-9. */
const EXACT_TERMS = 2 ** 16;

/**
 * Constants of one distribution. Computed once, where the guest starts, and carried in the vCPU state: `Math.pow` may
 * differ in its last bit from one build of Node to another, and then source and destination would go different ways.
 */
export interface ZipfConstants {
  /** Sum of 1 / i^theta over all ranks. */
  readonly zeta: number;
  readonly eta: number;
  /** Upper end of the second rank's share: 1 + 0.5^theta. */
  readonly secondRankEnd: number;
}

/** The constants for `itemCount` ranks. */
export function zipfConstants(itemCount: number): ZipfConstants {
  const zeta = zetaSum(itemCount);
  const secondRankEnd = 1 + 0.5 ** THETA;
  const eta =
    itemCount <= 2 ? 0 : (1 - (2 / itemCount) ** (1 - THETA)) / (1 - Math.min(secondRankEnd, zeta) / zeta);
  return { zeta, eta, secondRankEnd };
}

/** The rank, 0 being the most frequent, that a uniform `u` in [0, 1) draws from `itemCount` ranks. */
export function zipfRank(u: number, itemCount: number, { zeta, eta, secondRankEnd }: ZipfConstants): number {
  const uz = u * zeta;
  if (uz < 1 || itemCount < 2) return 0;
  if (uz < secondRankEnd || itemCount === 2) return 1;
  // alpha = 1 / (1 - theta) is exactly 100, and products are the same on every machine.
  const rank = Math.floor(itemCount * power100(eta * u - eta + 1));
  return Math.min(rank, itemCount - 1);
}

function power100(x: number): number {
  const x4 = x * x * (x * x);
  const x8 = x4 * x4;
  const x16 = x8 * x8;
  const x32 = x16 * x16;
  return x32 * x32 * x32 * x4;
}

function zetaSum(itemCount: number): number {
  const exact = Math.min(itemCount, EXACT_TERMS);
  let sum = 0;
  for (let i = 1; i <= exact; i += 1) sum += i ** -THETA;
  if (itemCount > exact) {
    // Euler and Maclaurin: the integral from the last exact term to the last term, and half the difference of both.
    const integral = (itemCount ** (1 - THETA) - exact ** (1 - THETA)) / (1 - THETA);
    sum += integral + (itemCount ** -THETA - exact ** -THETA) / 2;
  }
  return sum;
}
