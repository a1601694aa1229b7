// The summary of the stalls: hand-computed, against naive figures, and its refusal of faults that cannot be.
import fc from 'fast-check';
import t from 'tap';
import { causesSeenHere } from '../../src/telemetry/stall-causes.ts';
import { type FaultRecord, summariseStalls } from '../../src/telemetry/stalls.ts';
import { randomFaults } from './random-faults.ts';

const GOOD: FaultRecord = {
  block: 'pc.ram',
  hostPage: 3,
  pageBytes: 4096,
  vcpu: 0,
  faultNs: 1_000_000,
  requestedNs: 1_002_000,
  firstByteNs: 1_050_000,
  lastBytesNs: 1_055_000,
  placedNs: 1_060_000,
  resumedNs: 1_070_000,
};
const unknownFloor = () => undefined;

t.test('no faults: zero counts and sums, no percentiles', async (t) => {
  const summary = summariseStalls([], { vcpuCount: 2, floorNs: () => 5 });
  t.strictSame(summary, {
    count: 0,
    requests: 0,
    meanNs: null,
    p50Ns: null,
    p90Ns: null,
    p99Ns: null,
    p999Ns: null,
    maxNs: null,
    totalNs: 0,
    perVcpu: [
      { vcpu: 0, count: 0, totalNs: 0, blockedNs: 0, maxNs: null, floorTotalNs: 0 },
      { vcpu: 1, count: 0, totalNs: 0, blockedNs: 0, maxNs: null, floorTotalNs: 0 },
    ],
    blocktimeNs: 0,
    latencyBuckets: new Array(24).fill(0),
    perBlock: [],
    hops: { queueNs: null, firstByteNs: null, placeNs: null, resumeNs: null },
    causes: causesSeenHere([]),
  });
  t.match(summary.causes, { shares: null, clock: null, toldCount: 0, totalsNs: { trap: 0, untold: 0 } });
});

t.test('three faults, computed by hand', async (t) => {
  const faults: FaultRecord[] = [
    GOOD, // 70 us: 2 queue, 48 first byte, 10 place, 10 resume
    // 1 us later the other vCPU wants the same page: 69 us: it asks nothing, 49 first byte, 10 place, 10 resume
    { ...GOOD, vcpu: 1, faultNs: 1_001_000, requestedNs: 0 },
    // 11 us, for a page in flight since before the fault: 3 queue, 0 first byte, 7 place, 1 resume
    {
      ...GOOD,
      block: 'vga.vram',
      faultNs: 2e6,
      requestedNs: 2_003_000,
      firstByteNs: 1.9e6,
      lastBytesNs: 2_009_000,
      placedNs: 2_010_000,
      resumedNs: 2_011_000,
    },
  ];
  const summary = summariseStalls(faults, { vcpuCount: 2, floorNs: () => 69_500 });
  t.equal(summary.count, 3);
  t.equal(summary.requests, 2);
  t.equal(summary.totalNs, 70_000 + 69_000 + 11_000);
  t.equal(summary.meanNs, 50_000);
  t.equal(summary.p50Ns, 69_000, 'ceil(0.5 * 3) = 2nd of 11, 69, 70');
  t.equal(summary.p90Ns, 70_000);
  t.equal(summary.maxNs, 70_000);
  t.strictSame(summary.perVcpu, [
    {
      vcpu: 0,
      count: 2,
      totalNs: 81_000,
      blockedNs: 60_000 + 10_000,
      maxNs: 70_000,
      floorTotalNs: 2 * 69_500,
    },
    { vcpu: 1, count: 1, totalNs: 69_000, blockedNs: 59_000, maxNs: 69_000, floorTotalNs: 69_500 },
  ]);
  t.equal(summary.blocktimeNs, 59_000, 'both are down from 1001 us to the placement at 1060 us');
  const buckets: number[] = new Array(24).fill(0);
  buckets[3] = 1; // 11 us is in [8, 16)
  buckets[6] = 2; // 69 and 70 us are in [64, 128)
  t.strictSame(summary.latencyBuckets, buckets);
  t.strictSame(summary.hops, {
    queueNs: (2000 + 0 + 3000) / 3,
    firstByteNs: (48_000 + 49_000 + 0) / 3,
    placeNs: (10_000 + 10_000 + 7000) / 3,
    resumeNs: (10_000 + 10_000 + 1000) / 3,
  });
  const common = { pageBytes: 4096, floorNs: 69_500 };
  t.strictSame(summary.perBlock, [
    {
      ...common,
      block: 'pc.ram',
      count: 2,
      meanNs: 69_500,
      p50Ns: 69_000,
      p99Ns: 70_000,
      maxNs: 70_000,
      totalNs: 139_000,
      underFloor: 1,
      underFloorInFlight: 0,
    },
    {
      ...common,
      block: 'vga.vram',
      count: 1,
      meanNs: 11_000,
      p50Ns: 11_000,
      p99Ns: 11_000,
      maxNs: 11_000,
      totalNs: 11_000,
      underFloor: 1,
      underFloorInFlight: 1,
    },
  ]);
});

t.test('without a rate there is no floor and nothing is under it', async (t) => {
  const { perVcpu, perBlock } = summariseStalls([GOOD], { vcpuCount: 1, floorNs: unknownFloor });
  const [block] = perBlock;
  t.equal(perVcpu[0]?.floorTotalNs, null);
  t.equal(block?.floorNs, null);
  t.equal(block?.underFloor, 0);
});

t.test('agrees with naive figures', async () => {
  fc.assert(
    fc.property(randomFaults, ({ faults, vcpuCount }) => {
      const summary = summariseStalls(faults, {
        vcpuCount,
        floorNs: (pageBytes) => (pageBytes === 4096 ? 6 : 12),
      });
      const stalls = faults.map((fault) => fault.resumedNs - fault.faultNs).sort((a, b) => a - b);
      const total = stalls.reduce((sum, ns) => sum + ns, 0);
      const check = (what: string, found: number | null | undefined, expected: number | null | undefined) => {
        if (found === expected) return;
        throw new Error(`${what}: expected ${expected}, found ${found}`);
      };
      const naive = (share: number) =>
        stalls.find((ns) => stalls.filter((other) => other <= ns).length >= share * stalls.length) ?? null;
      check('p50', summary.p50Ns, naive(0.5));
      check('p90', summary.p90Ns, naive(0.9));
      check('p99', summary.p99Ns, naive(0.99));
      check('p99.9', summary.p999Ns, naive(0.999));
      check('max', summary.maxNs, stalls.at(-1) ?? null);
      check('total', summary.totalNs, total);
      check(
        'sum over vCPUs',
        summary.perVcpu.reduce((sum, vcpu) => sum + vcpu.totalNs, 0),
        total,
      );
      check(
        'sum over blocks',
        summary.perBlock.reduce((sum, block) => sum + block.totalNs, 0),
        total,
      );
      check(
        'sum over buckets',
        summary.latencyBuckets.reduce((sum, count) => sum + count, 0),
        faults.length,
      );
      for (const block of summary.perBlock) {
        const own = faults.filter((fault) => fault.block === block.block);
        const under = own.filter((fault) => fault.resumedNs - fault.faultNs < block.floorNs!);
        check('faults of the block', block.count, own.length);
        check('under the floor', block.underFloor, under.length);
        check('in flight', block.underFloorInFlight, under.filter((f) => f.firstByteNs < f.faultNs).length);
      }
      const { queueNs, firstByteNs, placeNs, resumeNs } = summary.hops;
      if (faults.length === 0) return;
      const hops = [queueNs!, firstByteNs!, placeNs!, resumeNs!];
      if (hops.some((ns) => ns < 0)) throw new Error(`a hop is negative: ${hops}`);
      const sum = hops.reduce((a, b) => a + b);
      if (Math.abs(sum - summary.meanNs!) > 1e-6)
        throw new Error(`hops add up to ${sum}, mean is ${summary.meanNs}`);
    }),
    { seed: 2018, numRuns: 300 },
  );
});

t.test('faults that cannot be are refused', async (t) => {
  const summarise = (faults: FaultRecord[]) => () =>
    summariseStalls(faults, { vcpuCount: 2, floorNs: unknownFloor });
  const disordered = { name: 'GuestError', code: 'fault-times-disordered' };
  t.throws(summarise([{ ...GOOD, placedNs: GOOD.faultNs - 1 }]), disordered, 'placed before the fault');
  t.throws(
    summarise([{ ...GOOD, resumedNs: GOOD.placedNs - 1 }]),
    disordered,
    'resumed before the placement',
  );
  t.throws(
    summarise([{ ...GOOD, firstByteNs: GOOD.placedNs + 1 }]),
    disordered,
    'first byte after the placement',
  );
  t.throws(summarise([{ ...GOOD, requestedNs: GOOD.faultNs - 1 }]), disordered, 'requested before the fault');
  t.throws(
    summarise([{ ...GOOD, requestedNs: GOOD.resumedNs + 1 }]),
    disordered,
    'requested after it went on',
  );
  t.throws(summarise([{ ...GOOD, resumedNs: Number.NaN }]), disordered, 'not a number');
  t.throws(summarise([{ ...GOOD, vcpu: 2 }]), { name: 'GuestError', code: 'fault-vcpu-unknown' });
  const overlapping = { ...GOOD, faultNs: GOOD.resumedNs - 1, requestedNs: 0, placedNs: 2e6, resumedNs: 2e6 };
  t.throws(summarise([overlapping, GOOD]), { name: 'GuestError', code: 'fault-overlap' });
  t.doesNotThrow(
    summarise([{ ...overlapping, faultNs: GOOD.resumedNs }, GOOD]),
    'faults again the moment it runs',
  );
  t.doesNotThrow(
    summarise([{ ...GOOD, requestedNs: GOOD.placedNs + 1 }]),
    'the background push overtook the request',
  );
});
