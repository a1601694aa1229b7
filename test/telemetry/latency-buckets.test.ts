// The 24 buckets of M6 at each of their edges.
import t from 'tap';
import { latencyBucket, latencyBucketStartUs } from '../../src/telemetry/latency-buckets.ts';

t.test('each power of two opens its bucket, one ns less is in the one before', async (t) => {
  for (let power = 1; power <= 23; power++) {
    const edgeNs = 2 ** power * 1000;
    t.equal(latencyBucket(edgeNs), power, `2^${power} us`);
    t.equal(latencyBucket(edgeNs - 1), power - 1, `1 ns under 2^${power} us`);
    t.equal(latencyBucketStartUs(power), 2 ** power);
  }
});

t.test('clamped at both ends', async (t) => {
  t.equal(latencyBucket(0), 0);
  t.equal(latencyBucket(999), 0, '0 us');
  t.equal(latencyBucket(1000), 0, '1 us');
  t.equal(latencyBucketStartUs(0), 0);
  for (const power of [24, 31, 32, 33, 40]) t.equal(latencyBucket(2 ** power * 1000), 23, `2^${power} us`);
});
