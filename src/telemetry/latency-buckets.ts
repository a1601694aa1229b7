// QEMU's histogram of fault latencies: 24 buckets by powers of two of microseconds (rule M6).

/** How many buckets the histogram has. */
export const LATENCY_BUCKET_COUNT = 24;

/**
 * The bucket of a latency in ns: floor(log2(us)), where bucket N covers [2^N, 2^(N+1)) us.
 * Less than 2 us is bucket 0; 2^23 us (8.4 s) and more is bucket 23.
 */
export function latencyBucket(latencyNs: number): number {
  const latencyUs = Math.floor(latencyNs / 1000);
  if (latencyUs >= 2 ** (LATENCY_BUCKET_COUNT - 1)) return LATENCY_BUCKET_COUNT - 1;
  // Below 2^23, so clz32 sees the whole value. Math.log2 would be one off just under some powers of two.
  return latencyUs < 1 ? 0 : 31 - Math.clz32(latencyUs);
}

/** Lower bound in us of a bucket; bucket 0 starts at 0. */
export function latencyBucketStartUs(bucket: number): number {
  return bucket === 0 ? 0 : 2 ** bucket;
}
