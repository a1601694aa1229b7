// What the destination counts of the push: pages that came unasked, touched or not, and pages that faulted.
import t from 'tap';
import { countPush } from '../../src/destination/push-counts.ts';
import { RamImage } from '../../src/machine/ram-block.ts';
import { SharedBitmap } from '../../src/machine/shared-bitmap.ts';
import type { FaultRecord } from '../../src/telemetry/fault-record.ts';

const K = 1024;
/** Four host pages of four target pages, and 32 of one: the second block begins at target page 16. */
const IMAGE = RamImage.allocate(
  [
    { name: 'a', lengthBytes: 64 * K, hostPageBytes: 16 * K, kind: 'system' },
    { name: 'b', lengthBytes: 128 * K, hostPageBytes: 4 * K, kind: 'system' },
  ],
  'present',
);

function bits(count: number, ...set: number[]): SharedArrayBuffer {
  const bitmap = SharedBitmap.allocate(count);
  for (const bit of set) bitmap.set(bit);
  return bitmap.buffer;
}

function fault(block: string, hostPage: number, faultNs: number, firstByteNs: number): FaultRecord {
  const times = { faultNs, requestedNs: 0, firstByteNs, lastBytesNs: 1000, placedNs: 1000, resumedNs: 1001 };
  return { block, hostPage, pageBytes: 16 * K, vcpu: 0, ...times };
}

const PUSHED = [bits(4, 0, 2, 3), bits(32, 5, 30)];

t.test('pages that came unasked, and which of them were touched by any of their target pages', async (t) => {
  const touched = new Uint32Array(2);
  // Of a: page 3 of host page 0, page 0 of host page 1, which was not pushed, page 0 of 3. Of b: 30, and 4.
  for (const page of [3, 4, 12, 16 + 30, 16 + 4]) touched[page >>> 5]! |= 1 << (page & 31);
  t.strictSame(countPush({ image: IMAGE, pushed: PUSHED, faults: [], touched }), {
    faultedHostPages: 0,
    faultedUnderWay: 0,
    pushedHostPages: 5,
    pushedTouched: 3,
    pushedUntouched: 2,
  });
});

t.test('where nobody knows what was touched', async (t) => {
  const counts = countPush({ image: IMAGE, pushed: PUSHED, faults: [], touched: undefined });
  t.match(counts, { pushedHostPages: 5, pushedTouched: null, pushedUntouched: null });
});

t.test('the first fault on a page tells whether it was under way', async (t) => {
  const faults = [
    fault('a', 1, 100, 90), // under way
    fault('b', 1, 110, 150), // came for it
    fault('b', 1, 200, 150), // found it on request
    fault('a', 1, 210, 90),
    fault('b', 2, 220, 220),
  ];
  const counts = countPush({ image: IMAGE, pushed: PUSHED, faults, touched: undefined });
  t.match(counts, { faultedHostPages: 3, faultedUnderWay: 1 });
});
