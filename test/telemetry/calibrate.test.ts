// The calibration measures what it says: with bounds no machine can miss, not with timings.
import t from 'tap';
import { monotonicNs } from '../../src/monotonic-clock.ts';
import { calibrate } from '../../src/telemetry/calibrate.ts';

t.test('figures that are possible, within the time they were taken in', async (t) => {
  const beginNs = monotonicNs();
  const { clockNs, wakeNs, wakeRounds, threadCount, nodeVersion } = await calibrate();
  const elapsedNs = monotonicNs() - beginNs;
  t.ok(clockNs > 0 && clockNs < elapsedNs, `clock ${clockNs} ns`);
  t.ok(wakeRounds >= 1 && wakeRounds <= 200, `${wakeRounds} rounds`);
  t.ok(Number.isInteger(threadCount) && threadCount >= 1, `${threadCount} threads`);
  t.equal(nodeVersion, process.version);
  // Half of the wake-ups took at least the median.
  t.ok(
    wakeNs.p50 !== null && wakeNs.p99 !== null && wakeNs.p50 > 0 && wakeNs.p50 <= wakeNs.p99,
    `wake p50 ${wakeNs.p50} p99 ${wakeNs.p99} ns`,
  );
  t.ok((wakeNs.p50! * wakeRounds) / 2 <= elapsedNs, 'the rounds fit into the time');
});
