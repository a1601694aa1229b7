// Arbitrary faults of several vCPUs that can happen: no vCPU faults while it stands still.
import fc from 'fast-check';
import type { FaultRecord } from '../../src/telemetry/stalls.ts';

const gap = fc.integer({ min: 0, max: 9 });

const faultShape = fc.record({
  runs: gap,
  asks: fc.boolean(),
  toRequest: gap,
  toPlace: gap,
  toResume: gap,
  firstByteBefore: gap,
  lastBytesBefore: gap,
  hostPage: fc.integer({ min: 0, max: 5 }),
  block: fc.constantFrom('pc.ram', 'vga.vram'),
});

/** A guest of 1 to 4 vCPUs with up to 12 faults each, shuffled. Small times, so that many of them coincide. */
export const randomFaults = fc
  .array(fc.array(faultShape, { maxLength: 12 }), { minLength: 1, maxLength: 4 })
  .chain((perVcpu) => {
    const faults: FaultRecord[] = [];
    perVcpu.forEach((shapes, vcpu) => {
      let nowNs = 100;
      for (const shape of shapes) {
        const faultNs = nowNs + shape.runs;
        const placedNs = faultNs + shape.toPlace;
        const resumedNs = placedNs + shape.toResume;
        faults.push({
          block: shape.block,
          hostPage: shape.hostPage,
          pageBytes: shape.block === 'pc.ram' ? 2 ** 21 : 4096,
          vcpu,
          faultNs,
          requestedNs: shape.asks ? Math.min(faultNs + shape.toRequest, resumedNs) : 0,
          firstByteNs: placedNs - shape.firstByteBefore,
          lastBytesNs: placedNs - shape.lastBytesBefore,
          placedNs,
          resumedNs,
        });
        nowNs = resumedNs;
      }
    });
    return fc
      .shuffledSubarray(faults, { minLength: faults.length, maxLength: faults.length })
      .map((shuffled) => ({ vcpuCount: perVcpu.length, faults: shuffled }));
  });
