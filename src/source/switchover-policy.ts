// Decides after each precopy pass whether to go on, to finish as precopy, or to switch to postcopy.
import type { PassEstimate } from '../telemetry/expected-downtime.ts';

/** When postcopy starts. */
export type PostcopyAfter =
  | { readonly kind: 'immediately' }
  | { readonly kind: 'passes'; readonly count: number }
  | { readonly kind: 'no-convergence' }
  | { readonly kind: 'never' };

/**
 * A pass is dirtied too fast if the guest dirtied more than half of what the pass sent. Twice in a row means that it
 * will not converge: QEMU's rule for throttling (throttle-trigger-threshold 50).
 */
const DIRTY_SHARE = 0.5;
const DIRTY_PASSES = 2;

/** What follows a precopy pass. */
export type AfterPass = 'another-pass' | 'complete' | 'postcopy';

/** Decides on the passes so far, of which there is at least one. */
export function decideAfterPass(
  policy: PostcopyAfter,
  passes: readonly PassEstimate[],
  targetPageBytes: number,
): AfterPass {
  const last = passes[passes.length - 1]!;
  // Precopy that converges is finished as precopy, whatever was asked (rule S45).
  if (last.converges || last.overPass.converges) return 'complete';
  if (policy.kind === 'passes') return passes.length >= policy.count ? 'postcopy' : 'another-pass';
  if (policy.kind !== 'no-convergence') return 'another-pass';
  const recent = passes.slice(-DIRTY_PASSES);
  const isTooFast = recent.every(
    (pass) => pass.pagesDirtied * targetPageBytes > DIRTY_SHARE * pass.bytesSent,
  );
  return recent.length === DIRTY_PASSES && isTooFast ? 'postcopy' : 'another-pass';
}
