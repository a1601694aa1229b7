// Full results, every field set, for the tests of the schema and of the report.
import type { DemoResult, MigrationResult } from '../../src/telemetry/result.ts';

const HASH = '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08';

/** A destination that completed and was verified. */
export const DESTINATION: Required<Omit<MigrationResult, 'error'>> = {
  status: 'completed',
  role: 'destination',
  guestVerified: true,
  guestVerification:
    'the final RAM equals that of the same guest run without migration to the same access counts',
  ramSha256: { 'pc.ram': HASH, 'vga.vram': HASH },
  negotiated: [
    {
      block: 'pc.ram',
      sourceHostPageBytes: 2 ** 24,
      destinationHostPageBytes: 2 ** 30,
      placementPageBytes: 2 ** 30,
    },
    {
      block: 'vga.vram',
      sourceHostPageBytes: null,
      destinationHostPageBytes: 4096,
      placementPageBytes: 4096,
    },
  ],
  pages: { precopy: 1024, postcopyBackground: 262_144, requested: 262_145, zero: 17, duplicate: null },
  bytes: { wire: 2_154_000_000, discarded: 2 ** 31, amplified: null },
  collapses: { count: 2, totalNs: 41_000, maxNs: 22_000, brokenCount: 0 },
  times: {
    totalNs: 1_912_000_000,
    downtimeNs: 8_250_000,
    phases: { precopy: 612_000_000, 'postcopy-active': 1_300_000_000 },
  },
  passes: [],
  stalls: {
    count: 3,
    requests: 2,
    meanNs: 400_004_000,
    p50Ns: 600_000_000,
    p90Ns: 600_000_000,
    p99Ns: 600_000_000,
    p999Ns: 600_000_000,
    maxNs: 600_000_000,
    totalNs: 1_200_012_000,
    perVcpu: [
      {
        vcpu: 0,
        count: 2,
        totalNs: 600_012_000,
        blockedNs: 600_008_000,
        maxNs: 600_000_000,
        floorTotalNs: 540_020_000,
      },
      {
        vcpu: 1,
        count: 1,
        totalNs: 600_000_000,
        blockedNs: 599_990_000,
        maxNs: 600_000_000,
        floorTotalNs: 540_000_000,
      },
    ],
    blocktimeNs: 599_000_000,
    latencyBuckets: [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0],
    perBlock: [
      {
        block: 'pc.ram',
        pageBytes: 2 ** 30,
        count: 2,
        meanNs: 600_000_000,
        p50Ns: 600_000_000,
        p99Ns: 600_000_000,
        maxNs: 600_000_000,
        totalNs: 1_200_000_000,
        floorNs: 540_000_000,
        underFloor: 0,
        underFloorInFlight: 0,
      },
      {
        block: 'vga.vram',
        pageBytes: 4096,
        count: 1,
        meanNs: 12_000,
        p50Ns: 12_000,
        p99Ns: 12_000,
        maxNs: 12_000,
        totalNs: 12_000,
        floorNs: 20_000,
        underFloor: 1,
        underFloorInFlight: 1,
      },
    ],
    hops: { queueNs: 3000, firstByteNs: 90_000, placeNs: 399_900_000, resumeNs: 11_000 },
  },
  touch: { order: 'random', seed: 7, vcpu: 1 },
  faults: [
    {
      block: 'vga.vram',
      hostPage: 4,
      pageBytes: 4096,
      vcpu: 0,
      faultNs: 1_000_000,
      requestedNs: 0,
      firstByteNs: 999_000,
      placedNs: 1_010_000,
      resumedNs: 1_012_000,
    },
  ],
  machinery: {
    clockNs: 94.5,
    wakeNs: { p50: 10_500, p99: 21_000 },
    wakeRounds: 200,
    threadCount: 2,
    nodeVersion: 'v20.20.2',
  },
  wire: { bytesPerSecond: 1.13e9, peakBytesPerSecond: 1.99e9, note: 'loopback, not shaped' },
  link: {
    forward: {
      bytesPerSecond: 1.25e9,
      delayNs: 50_000,
      queueBytes: 1_250_000,
      carriedBytes: 2_154_000_000,
      carriedBytesPerSecond: 1.1e9,
      busyNs: 1.95e9,
      heldBackNs: 3_000_000,
      lateNs: { p50: 12_000, p99: 90_000, max: 2_100_000 },
    },
    returnPath: {
      bytesPerSecond: 1.25e9,
      delayNs: 50_000,
      queueBytes: 1_250_000,
      carriedBytes: 0,
      carriedBytesPerSecond: null,
      busyNs: 0,
      heldBackNs: 0,
      lateNs: null,
    },
    roundTrip: { askedNs: 100_000, count: 5, minNs: 183_000, p50Ns: 240_000, maxNs: 4_100_000 },
    verdict: 'asked 10 Gbit/s, carried 8.8 Gbit/s: this machine was no faster',
  },
  marks: { guestStoppedNs: null, guestRunningNs: 81_234_567_000 },
  guestAtSource: null,
  guest: { mmu: 'radix', largestPageBytes: 2 ** 24, vcpus: [{ index: 0, program: 'zipf', count: 123_456 }] },
};

const { collapses: _collapses, ...COMMON } = DESTINATION;

/** A source that failed, after two passes. */
export const SOURCE: Required<Omit<MigrationResult, 'faults' | 'touch' | 'collapses'>> = {
  ...COMMON,
  status: 'failed',
  role: 'source',
  guestVerified: false,
  guestVerification: 'the migration failed; the guest goes on at the source',
  guestAtSource: {
    isProved: true,
    verdict: 'all RAM equals that of a guest never migrated',
    accessesSince: 4000,
  },
  ramSha256: {},
  passes: [
    {
      pass: 1,
      durationNs: 612_000_000,
      bytesSent: 2_151_000_000,
      remainingBytes: 81_920_000,
      pagesDirtied: 20_000,
      expectedDowntimeNs: 300_000_000,
      expectedDowntimeOldNs: 300_000_000,
      bandwidthBytesPerSecond: null,
      dirtyPagesPerSecond: 0,
      thresholdBytes: null,
      converges: false,
      updatedInPass: false,
      overPass: {
        expectedDowntimeNs: 23_300_000,
        expectedDowntimeOldNs: 38_100_000,
        bandwidthBytesPerSecond: 3.5e9,
        dirtyPagesPerSecond: 32_679,
        thresholdBytes: 1.05e9,
        converges: true,
      },
    },
  ],
  stalls: null,
  machinery: null,
  guest: null,
  error: {
    name: 'MemoryMapError',
    code: 'page-size-mismatch',
    message: 'expected host pages of 16777216 bytes in pc.ram, found 1073741824',
    offset: 411,
    stream: 'main',
    state: 'advise',
    rule: 'D31',
  },
};

/** A demo with a refused step and a completed one. */
export const DEMO: Required<Omit<DemoResult, 'error'>> = {
  ...DESTINATION,
  role: 'demo',
  scenario: 'power8-to-power9',
  steps: [
    {
      name: 'without negotiation',
      expectation: 'refused as QEMU refuses it',
      met: true,
      source: SOURCE,
      destination: null,
    },
    {
      name: 'negotiated',
      expectation: 'completed and verified',
      met: true,
      source: null,
      destination: DESTINATION,
    },
  ],
};
