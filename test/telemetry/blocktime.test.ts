// M5: hand-drawn timelines, then a naive sweep over every instant.
import fc from 'fast-check';
import t from 'tap';
import { overlappedBlocktimeNs } from '../../src/telemetry/blocktime.ts';
import { randomFaults } from './random-faults.ts';

function blocktime(intervals: [number, number][], vcpuCount: number): number {
  return overlappedBlocktimeNs(
    Float64Array.from(intervals, ([begin]) => begin),
    Float64Array.from(intervals, ([, end]) => end),
    vcpuCount,
  );
}

t.test('hand-drawn timelines', async (t) => {
  t.equal(blocktime([], 2), 0, 'no fault');
  t.equal(
    blocktime(
      [
        [10, 30],
        [50, 51],
      ],
      1,
    ),
    21,
    'one vCPU: the sum of its faults, 20 + 1',
  );
  t.equal(blocktime([[10, 30]], 2), 0, 'the other vCPU ran');
  t.equal(
    blocktime(
      [
        [10, 30],
        [20, 50],
      ],
      2,
    ),
    10,
    'from the fault that completes the set (20) to the first wake-up (30)',
  );
  t.equal(
    blocktime(
      [
        [0, 10],
        [5, 30],
        [10, 20],
      ],
      2,
    ),
    15,
    'woken at 10 and down again at 10: 5..10 and 10..20',
  );
  t.equal(
    blocktime(
      [
        [0, 10],
        [5, 10],
        [7, 10],
      ],
      3,
    ),
    3,
    'one placement wakes three at once and counts once',
  );
  t.equal(
    blocktime(
      [
        [0, 40],
        [10, 20],
        [15, 15],
      ],
      2,
    ),
    10,
    'an empty fault moves nothing',
  );
});

t.test('equals the number of instants at which every vCPU is blocked', async () => {
  fc.assert(
    fc.property(randomFaults, ({ faults, vcpuCount }) => {
      let naiveNs = 0;
      const lastNs = Math.max(0, ...faults.map((fault) => fault.placedNs));
      for (let ns = 0; ns < lastNs; ns++) {
        const blocked = new Set(faults.filter((f) => f.faultNs <= ns && ns < f.placedNs).map((f) => f.vcpu));
        if (blocked.size === vcpuCount) naiveNs++;
      }
      const found = blocktime(
        faults.map((fault) => [fault.faultNs, fault.placedNs]),
        vcpuCount,
      );
      if (found !== naiveNs) throw new Error(`expected ${naiveNs} ns, found ${found} ns`);
    }),
    { seed: 2018, numRuns: 400 },
  );
});
