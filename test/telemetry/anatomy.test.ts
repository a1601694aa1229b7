// What each stall waited for: by hand, by property, and with a source whose clock shows another time.
import fc from 'fast-check';
import t from 'tap';
import { joinEnds, withCauses } from '../../src/telemetry/anatomy.ts';
import { alignClocks } from '../../src/telemetry/clock-alignment.ts';
import type { RequestRecord } from '../../src/telemetry/request-record.ts';
import type { MigrationResult } from '../../src/telemetry/result.ts';
import { STALL_CAUSE_NAMES, splitStall } from '../../src/telemetry/stall-causes.ts';
import type { FaultRecord } from '../../src/telemetry/stalls.ts';
import { randomFaults } from './random-faults.ts';
import { DESTINATION, SOURCE } from './sample-results.ts';

const FAULT: FaultRecord = {
  block: 'pc.ram',
  hostPage: 3,
  pageBytes: 2 ** 21,
  vcpu: 0,
  faultNs: 1_000_000,
  requestedNs: 1_002_000,
  firstByteNs: 1_150_000,
  lastBytesNs: 1_650_000,
  placedNs: 1_660_000,
  resumedNs: 1_670_000,
};
const REQUEST: RequestRecord = {
  block: 'pc.ram',
  start: 3 * 2 ** 21,
  arrivedNs: 1_022_000,
  takenNs: 1_100_000,
  aheadCount: 1,
  waitsNs: { behindPage: 40_000, behindRequests: 30_000, behindBackground: 0, behindLimit: 3000 },
};
/** A round trip of 40 us, answered in its middle. */
const PING = { value: 1, sentNs: 500_000, answeredNs: 540_000 };
const PONG = { value: 1, answeredNs: 520_000 };

interface Seen {
  readonly faults?: readonly FaultRecord[];
  readonly entries?: readonly RequestRecord[];
  readonly pings?: readonly (typeof PING)[];
}

/** Both ends; the clock of the source shows `skewNs` more than that of the destination. */
function ends({ faults = [FAULT], entries = [REQUEST], pings = [PING] }: Seen, skewNs = 0) {
  const { link: _, ...source } = SOURCE;
  const skewed = (ns: number): number => (ns === 0 ? 0 : ns + skewNs);
  const requests = {
    entries: entries.map((entry) => ({
      ...entry,
      arrivedNs: skewed(entry.arrivedNs),
      takenNs: skewed(entry.takenNs),
    })),
    droppedCount: 0,
    pings: pings.map(({ value, sentNs, answeredNs }) => ({
      value,
      sentNs: skewed(sentNs),
      answeredNs: skewed(answeredNs),
    })),
  };
  const destination: MigrationResult = { ...DESTINATION, faults, pongs: [PONG] };
  return [{ ...source, requests } as MigrationResult, destination] as const;
}

const EXPECTED = {
  trap: 2000,
  request: 20_000,
  behindPage: 40_000,
  behindRequests: 30_000,
  behindLimit: 3000,
  source: 5000,
  wire: 20_000, // half of the round trip: less than the 50 us that the first byte took
  behindFlight: 30_000,
  restOfPage: 500_000,
  copy: 10_000,
  wake: 10_000,
};

t.test('a stall for a 2 MiB page, by hand', async (t) => {
  const { causes, faults } = joinEnds(...ends({}))!;
  t.strictSame(faults[0]!.causesNs, EXPECTED);
  t.match(causes, { toldCount: 1, clippedCount: 0, clippedMaxNs: 0 });
  t.match(causes.clock, { offsetNs: 0, uncertaintyNs: 20_000, roundTripNs: 40_000, isOneClock: true });
  t.equal(causes.shares!.restOfPage, 500_000 / 670_000);
});

t.test(
  'seconds between the clocks make no difference, and an uneven round trip one within the bound',
  async (t) => {
    for (const skewNs of [3_700_000_000, -8_000_000_001]) {
      const even = joinEnds(...ends({}, skewNs))!;
      t.strictSame(even.faults[0]!.causesNs, EXPECTED);
      t.match(even.causes.clock, { offsetNs: -skewNs, isOneClock: false });
      // The PING went in 5 us and came back in 35.
      const uneven = joinEnds(
        ...ends({ pings: [{ value: 1, sentNs: 515_000, answeredNs: 555_000 }] }, skewNs),
      )!;
      const { clock } = uneven.causes;
      t.ok(Math.abs(clock!.offsetNs + skewNs) <= clock!.uncertaintyNs);
      for (const name of STALL_CAUSE_NAMES) {
        const off =
          (uneven.faults[0]!.causesNs![name] ?? 0) - ((EXPECTED as Record<string, number>)[name] ?? 0);
        t.ok(Math.abs(off) <= clock!.uncertaintyNs, `${name} is off by ${off}`);
      }
    }
  },
);

t.test('a time of the source that cannot be is moved, and counted', async (t) => {
  const early = { ...REQUEST, arrivedNs: 990_000 };
  const { causes, faults } = joinEnds(...ends({ entries: [early] }))!;
  t.match(causes, { clippedCount: 1, clippedMaxNs: 10_000 });
  t.equal(faults[0]!.causesNs!.request, undefined, 'nothing, and not less');
});

t.test('a page that had been sent when it was asked for waits for what was under way', async (t) => {
  const { faults } = joinEnds(...ends({ entries: [{ ...REQUEST, takenNs: 0 }] }))!;
  t.match(faults[0]!.causesNs, { trap: 2000, behindFlight: 148_000, restOfPage: 500_000 });
});

t.test('a page in flight before its fault waits for its rest alone', async (t) => {
  const split = splitStall({ ...FAULT, firstByteNs: 900_000 });
  t.match(split.causesNs, { trap: 2000, untold: 0, wire: 0, restOfPage: 648_000 });
});

t.test('a page of one record has no rest', async (t) => {
  const small = { ...FAULT, pageBytes: 4096, lastBytesNs: 1_155_000, placedNs: 1_160_000 };
  t.match(splitStall(small).causesNs, { untold: 153_000, restOfPage: 0, copy: 5000 });
});

t.test('the wire of an emulated link is known', async (t) => {
  const [source, destination] = ends({});
  const forward = { ...SOURCE.link.forward, delayNs: 25_000, bytesPerSecond: 4104 / 15e-6 };
  const { faults } = joinEnds({ ...source, link: { ...SOURCE.link, forward } }, destination)!;
  t.match(faults[0]!.causesNs, { wire: 40_000, behindFlight: 10_000 });
});

t.test('alone, or with no PING in common, a destination says what it cannot tell', async (t) => {
  const [source, destination] = ends({});
  const alone = withCauses(null, { ...destination, stalls: DESTINATION.stalls });
  t.equal(alone.faults, undefined);
  t.equal(alone.pongs, undefined);
  t.equal(alone.stalls, DESTINATION.stalls);
  t.equal(joinEnds(source, { ...destination, pongs: [{ value: 2, answeredNs: 1 }] }), undefined);
  t.match(splitStall(FAULT).causesNs, { untold: 148_000, restOfPage: 500_000, copy: 10_000 });
});

t.test('the shortest round trip aligns', async (t) => {
  const pings = [{ value: 2, sentNs: 0, answeredNs: 100_000 }, PING];
  t.match(alignClocks(pings, [{ value: 2, answeredNs: 7e6 }, PONG]), { offsetNs: 0, roundTripNs: 40_000 });
});

t.test('whatever the times: no cause is negative, and all are the stall to the ns', async () => {
  const ns = fc.integer({ min: 0, max: 400 });
  const told = fc.option(
    fc.record({
      arrivedNs: ns,
      takenNs: ns,
      firstFaultNs: ns,
      waitsNs: fc.record({ behindPage: ns, behindRequests: ns, behindBackground: ns, behindLimit: ns }),
    }),
    { nil: undefined },
  );
  fc.assert(
    fc.property(randomFaults, told, ns, ({ faults }, request, wireNs) => {
      for (const fault of faults) {
        const parts = Object.values(splitStall(fault, request, wireNs).causesNs);
        if (parts.some((part) => part < 0)) throw new Error(`negative: ${parts}`);
        const sum = parts.reduce((a, b) => a + b);
        if (sum !== fault.resumedNs - fault.faultNs)
          throw new Error(`${parts} are not ${JSON.stringify(fault)}`);
      }
    }),
    { seed: 4, numRuns: 2000 },
  );
});
