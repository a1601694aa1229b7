// Pages over time: points when they are due, and no more of them however long it takes.
import t from 'tap';
import { LEAST_INTERVAL_NS, MOST_POINTS, PagesOverTimeSeries } from '../../src/telemetry/pages-over-time.ts';

/** Samples at every interval, as many times as told; a page more is present each time. */
function sampled(count: number): PagesOverTimeSeries {
  const series = new PagesOverTimeSeries();
  for (let at = 0; at < count; at += 1) {
    const elapsedNs = at * LEAST_INTERVAL_NS;
    if (series.isDue(elapsedNs)) series.add(elapsedNs, { present: at, background: at, requested: 0 });
  }
  return series;
}

t.test('a short migration has every point', async (t) => {
  const { totalPages, elapsedNs, present } = sampled(50).columns(60);
  t.equal(totalPages, 60);
  t.strictSame(present, [...Array(50).keys()]);
  t.strictSame(elapsedNs.slice(0, 3), [0, LEAST_INTERVAL_NS, 2 * LEAST_INTERVAL_NS]);
});

t.test('a point is due only after the interval', async (t) => {
  const series = new PagesOverTimeSeries();
  t.ok(series.isDue(7), 'the first one at once');
  series.add(7, { present: 1, background: 1, requested: 0 });
  t.notOk(series.isDue(LEAST_INTERVAL_NS));
  t.ok(series.isDue(LEAST_INTERVAL_NS + 7));
});

t.test('a long one has points evenly apart, the first and the latest among them', async (t) => {
  for (const count of [MOST_POINTS, MOST_POINTS + 1, 2 * MOST_POINTS, 100_000]) {
    const { elapsedNs, present } = sampled(count).columns(count);
    t.ok(elapsedNs.length <= MOST_POINTS, `${count}: bounded`);
    t.ok(elapsedNs.length >= MOST_POINTS / 2, `${count}: and no fewer than half`);
    t.equal(elapsedNs[0], 0);
    const gaps = new Set(present.slice(1).map((value, index) => value - present[index]!));
    t.ok(gaps.size <= 1, `${count}: all as far apart`);
    t.ok(count - present.at(-1)! <= 2 * [...gaps][0]!, `${count}: up to the end`);
  }
});

t.test('the last point is added though it is not due', async (t) => {
  const series = sampled(MOST_POINTS);
  series.add(MOST_POINTS * LEAST_INTERVAL_NS - 1, { present: 9, background: 5, requested: 4 });
  const { elapsedNs, present, requested } = series.columns(9);
  t.ok(elapsedNs.length <= MOST_POINTS);
  t.equal(present.at(-1), 9);
  t.equal(requested.at(-1), 4);
});
