// A bandwidth is kept over any time, and unused bandwidth is not saved up.
import fc from 'fast-check';
import t from 'tap';
import { BandwidthLimit } from '../../src/source/bandwidth-limit.ts';

t.test('unlimited', (t) => {
  const limit = new BandwidthLimit(0);
  t.equal(limit.pauseMs(1e9, 0), 0);
  t.equal(limit.pauseMs(1e9, 0), 0);
  t.end();
});

t.test('the first leaves at once, each other when the ones before have had their time', (t) => {
  const limit = new BandwidthLimit(1_000_000); // 1000 bytes per ms
  t.equal(limit.pauseMs(50_000, 100), 0);
  t.equal(limit.pauseMs(50_000, 100), 40, '50 ms, less the 10 that may be caught up on');
  t.equal(limit.pauseMs(50_000, 140), 50);
  t.equal(limit.pauseMs(50_000, 1_000_000), 0, 'after a long silence');
  t.equal(limit.pauseMs(50_000, 1_000_000), 40, 'only 10 ms of it count');
  t.end();
});

t.test('over any run no more than the bandwidth, and its burst', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ bytes: fc.integer({ min: 1, max: 300_000 }), idleMs: fc.nat(100) }), {
        minLength: 1,
      }),
      (sends) => {
        const limit = new BandwidthLimit(1_000_000);
        let nowMs = 0;
        let sentBytes = 0;
        for (const { bytes, idleMs } of sends) {
          nowMs += idleMs;
          nowMs += limit.pauseMs(bytes, nowMs);
          if (sentBytes > 1000 * (nowMs + 10) + 1e-6) return false; // what left before this
          sentBytes += bytes;
        }
        return true;
      },
    ),
    { seed: 47, numRuns: 300 },
  );
  t.end();
});
