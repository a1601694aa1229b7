// The estimates of the downtime, each computed by hand with the arithmetic written out.
import t from 'tap';
import { DowntimeEstimator } from '../../src/telemetry/expected-downtime.ts';

const MS = 1_000_000;
const S = 1000 * MS;

t.test('before anything is measured: the limit, and no bandwidth', async (t) => {
  const estimator = new DowntimeEstimator({ startNs: 0 });
  t.strictSame(estimator.estimate(), {
    expectedDowntimeNs: 300 * MS,
    expectedDowntimeOldNs: 300 * MS,
    bandwidthBytesPerSecond: null,
    dirtyPagesPerSecond: 0,
    thresholdBytes: null,
    converges: false,
  });
  t.equal(
    estimator.onSync({ nowNs: 0, remainingBytes: 1e9, pagesDirtied: 0 }),
    undefined,
    'the first sync closes nothing',
  );
  t.equal(new DowntimeEstimator({ startNs: 0, initialDowntimeLimitNs: 7 }).estimate().expectedDowntimeNs, 7);
});

t.test('the patch of 2018: remaining at the last sync, and the old formula beside it', async (t) => {
  const estimator = new DowntimeEstimator({ startNs: 0 });
  estimator.onSync({ nowNs: 0, remainingBytes: 1_000_000_000, pagesDirtied: 0 });
  estimator.onProgress({ nowNs: 2 * S, bytesSent: 1_000_000_000 });
  // 1e9 bytes in 2 s = 5e8 bytes/s; threshold 5e8 * 0.3 s = 1.5e8 bytes.
  t.equal(estimator.estimate().bandwidthBytesPerSecond, 5e8);
  t.equal(estimator.estimate().thresholdBytes, 1.5e8);
  t.equal(estimator.estimate().expectedDowntimeNs, 300 * MS, 'no dirty rate yet: still the limit');

  // 2 s after the first sync: 20000 pages / 2 s = 10000 pages/s. Remaining 20000 * 4096 = 81 920 000 bytes.
  const first = estimator.onSync({ nowNs: 2 * S, remainingBytes: 81_920_000, pagesDirtied: 20_000 });
  t.equal(first?.dirtyPagesPerSecond, 0, 'the pass is closed with what was known before its sync');
  t.equal(estimator.estimate().dirtyPagesPerSecond, 10_000);
  t.equal(estimator.estimate().converges, true, '81.92e6 < 1.5e8');
  t.equal(estimator.estimate().expectedDowntimeNs, 300 * MS, 'updated by progress, not by a sync');

  // 40 000 000 bytes in 100 ms = 4e8 bytes/s.
  estimator.onProgress({ nowNs: 2 * S + 100 * MS, bytesSent: 1_040_000_000 });
  // New: 81 920 000 / 4e8 = 0.2048 s, although only 41 920 000 bytes remain by now.
  t.equal(estimator.estimate().expectedDowntimeNs, 204.8 * MS);
  // Old: 10000 * 4096 / 4e8 = 0.1024 s.
  t.equal(estimator.estimate().expectedDowntimeOldNs, 102.4 * MS);
  t.equal(estimator.estimate().thresholdBytes, 1.2e8, '4e8 * 0.3');

  const second = estimator.onSync({ nowNs: 2.2 * S, remainingBytes: 200_000_000, pagesDirtied: 1000 });
  t.equal(second?.pass, 2);
  t.equal(second?.updatedInPass, true);
  t.equal(second?.expectedDowntimeNs, 204.8 * MS);
  t.equal(estimator.estimate().converges, false, '2e8 >= 1.2e8');
  t.strictSame(estimator.passes, [first, second]);
});

/** One second in which 1000 pages were dirtied, then as many bytes and ns as told. */
function afterOneSecond(intervalNs: number, intervalBytes: number, pagesDirtied = 1000) {
  const estimator = new DowntimeEstimator({ startNs: 0 });
  estimator.onSync({ nowNs: 0, remainingBytes: 1e8, pagesDirtied: 0 });
  estimator.onProgress({ nowNs: 1 * S, bytesSent: 1e6 });
  estimator.onSync({ nowNs: 1 * S, remainingBytes: 4_096_000, pagesDirtied });
  estimator.onProgress({ nowNs: 1 * S + intervalNs, bytesSent: 1e6 + intervalBytes });
  return estimator.estimate();
}

t.test('the conditions of an update, each at its edge', async (t) => {
  // 4 096 000 bytes remaining at 10001 bytes in 100 ms = 100 010 bytes/s: 40.96 s.
  const updated = afterOneSecond(100 * MS, 10_001);
  t.equal(updated.expectedDowntimeNs, (4_096_000 * 1e9) / 100_010);
  t.equal(updated.expectedDowntimeOldNs, (1000 * 4096 * 1e9) / 100_010);

  const tooEarly = afterOneSecond(100 * MS - 1, 1e6);
  t.equal(tooEarly.expectedDowntimeNs, 300 * MS, '1 ns under 100 ms: nothing changes');
  t.equal(tooEarly.bandwidthBytesPerSecond, 1e6, 'not even the bandwidth');

  const tooLittle = afterOneSecond(100 * MS, 10_000);
  t.equal(tooLittle.expectedDowntimeNs, 300 * MS, 'exactly 10000 bytes: not more');
  t.equal(tooLittle.bandwidthBytesPerSecond, 100_000, 'but the bandwidth is new');
  t.equal(tooLittle.thresholdBytes, 30_000, 'and so is the threshold, 100000 * 0.3');

  const clean = afterOneSecond(100 * MS, 1e6, 0);
  t.equal(clean.expectedDowntimeNs, 300 * MS, 'a dirty rate of 0');
});

t.test('the dirty rate waits for 1000 ms, and gathers all syncs of that time', async (t) => {
  const estimator = new DowntimeEstimator({ startNs: 0 });
  estimator.onSync({ nowNs: 0, remainingBytes: 0, pagesDirtied: 100 });
  estimator.onSync({ nowNs: 500 * MS, remainingBytes: 0, pagesDirtied: 200 });
  estimator.onSync({ nowNs: 1 * S - 1, remainingBytes: 0, pagesDirtied: 300 });
  t.equal(estimator.estimate().dirtyPagesPerSecond, 0);
  estimator.onSync({ nowNs: 1.25 * S, remainingBytes: 0, pagesDirtied: 400 });
  t.equal(estimator.estimate().dirtyPagesPerSecond, 800, '(100 + 200 + 300 + 400) / 1.25 s');
  estimator.onSync({ nowNs: 2.25 * S, remainingBytes: 0, pagesDirtied: 50 });
  t.equal(estimator.estimate().dirtyPagesPerSecond, 50, 'the next period begins where this one ended');
});

t.test('a pass too short for QEMU has figures of its own', async (t) => {
  const estimator = new DowntimeEstimator({ startNs: 0 });
  estimator.onSync({ nowNs: 10 * MS, remainingBytes: 40_960_000, pagesDirtied: 0 });
  estimator.onProgress({ nowNs: 50 * MS, bytesSent: 40_000_000 });
  const pass = estimator.onSync({ nowNs: 50 * MS, remainingBytes: 8_192_000, pagesDirtied: 2000 });
  t.match(pass, {
    pass: 1,
    durationNs: 40 * MS,
    bytesSent: 40_000_000,
    remainingBytes: 8_192_000,
    pagesDirtied: 2000,
    updatedInPass: false,
    expectedDowntimeNs: 300 * MS, // QEMU knows nothing yet
    bandwidthBytesPerSecond: null,
    converges: false,
  });
  t.strictSame(pass?.overPass, {
    bandwidthBytesPerSecond: 1e9, // 40e6 bytes / 40 ms
    dirtyPagesPerSecond: 50_000, // 2000 / 40 ms
    expectedDowntimeNs: 8.192 * MS, // 8 192 000 / 1e9
    expectedDowntimeOldNs: 204.8 * MS, // 50000 * 4096 / 1e9
    thresholdBytes: 3e8, // 1e9 * 0.3
    converges: true, // 8 192 000 < 3e8
  });
});

t.test('a pass that sent nothing has no bandwidth, and converges only with nothing left', async (t) => {
  const estimator = new DowntimeEstimator({ startNs: 0 });
  estimator.onSync({ nowNs: 0, remainingBytes: 4096, pagesDirtied: 1 });
  const instant = estimator.onSync({ nowNs: 0, remainingBytes: 4096, pagesDirtied: 0 });
  t.strictSame(instant?.overPass, {
    bandwidthBytesPerSecond: null,
    dirtyPagesPerSecond: null,
    expectedDowntimeNs: null,
    expectedDowntimeOldNs: null,
    thresholdBytes: null,
    converges: false,
  });
  const empty = estimator.onSync({ nowNs: 5, remainingBytes: 0, pagesDirtied: 0 });
  t.equal(empty?.overPass.converges, true);
  t.equal(estimator.estimate().converges, true, 'M4: nothing remains, whatever the threshold');
});

t.test('exactly the threshold is not under it', async (t) => {
  const estimator = new DowntimeEstimator({ startNs: 0 });
  estimator.onSync({ nowNs: 0, remainingBytes: 30_000, pagesDirtied: 0 });
  estimator.onProgress({ nowNs: 100 * MS, bytesSent: 10_000 });
  t.equal(estimator.estimate().thresholdBytes, 30_000);
  t.equal(estimator.estimate().converges, false);
});

t.test('bytes sent are a total: fewer than before is our bug', async (t) => {
  const estimator = new DowntimeEstimator({ startNs: 0 });
  estimator.onProgress({ nowNs: 1, bytesSent: 100 });
  t.throws(() => estimator.onProgress({ nowNs: 2, bytesSent: 99 }), {
    name: 'GuestError',
    code: 'downtime-bytes-decreased',
  });
});
