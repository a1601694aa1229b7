// Nearest-rank percentiles against the definition, counted naively.
import fc from 'fast-check';
import t from 'tap';
import { nearestRank } from '../../src/telemetry/percentile.ts';

t.test('hand-computed ranks', async (t) => {
  const ten = Float64Array.from([10, 20, 30, 40, 50, 60, 70, 80, 90, 100]);
  t.equal(nearestRank(ten, 500), 50, 'ceil(0.5 * 10) = 5th');
  t.equal(nearestRank(ten, 501), 60, 'ceil(0.501 * 10) = 6th');
  t.equal(nearestRank(ten, 900), 90, 'ceil(0.9 * 10) = 9th');
  t.equal(nearestRank(ten, 990), 100, 'ceil(0.99 * 10) = 10th');
  t.equal(nearestRank(ten, 1), 10, 'never before the first');
  const hundred = Float64Array.from({ length: 100 }, (_, i) => i + 1);
  t.equal(nearestRank(hundred, 70), 7, '0.07 * 100 exceeds 7 in floating point, 70 * 100 / 1000 does not');
  t.equal(nearestRank(new Float64Array(0), 500), null, 'no values, no percentile');
});

t.test('the smallest value that enough of the values do not exceed', async () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 1, maxLength: 200 }),
      fc.integer({ min: 1, max: 1000 }),
      (values, perMille) => {
        const naive = [...new Set(values)]
          .sort((a, b) => a - b)
          .find(
            (value) => values.filter((other) => other <= value).length * 1000 >= perMille * values.length,
          );
        return nearestRank(Float64Array.from(values).sort(), perMille) === naive;
      },
    ),
    { seed: 2018, numRuns: 300 },
  );
});
