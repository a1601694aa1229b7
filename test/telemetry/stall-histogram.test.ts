// Stalls counted as they come are those that a summary finds in the end, percentiles within 2 %.
import fc from 'fast-check';
import t from 'tap';
import { nearestRank } from '../../src/telemetry/percentile.ts';
import { StallHistogram } from '../../src/telemetry/stall-histogram.ts';

t.test('without stalls there are no figures', async (t) => {
  const { count, mean, p50, p99, max, sum, buckets } = new StallHistogram().figures();
  t.strictSame([count, mean, p50, p99, max, sum], [0, null, null, null, null, 0]);
  t.strictSame(buckets, new Array(24).fill(0));
});

t.test('percentiles', async (t) => {
  const stalls = fc.array(fc.integer({ min: 1, max: 2e10 }), { minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(stalls, (list) => {
      const histogram = new StallHistogram();
      for (const stall of list) histogram.add(stall);
      const sorted = Float64Array.from(list).sort();
      const figures = histogram.figures();
      for (const [found, perMille] of [
        [figures.p50, 500],
        [figures.p90, 900],
        [figures.p99, 990],
      ] as const) {
        const exact = nearestRank(sorted, perMille)!;
        t.ok(found! >= exact * 0.999 && found! <= exact * 1.025, `${found} for ${exact}`);
      }
      t.equal(figures.max, sorted.at(-1));
      t.equal(figures.count, list.length);
      t.equal(
        figures.buckets.reduce((sum, count) => sum + count),
        list.length,
      );
    }),
    { seed: 5, numRuns: 100 },
  );
});
