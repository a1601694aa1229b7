// Shared bitmaps against a plain set of numbers.

import fc from 'fast-check';
import t from 'tap';
import { popcount, SharedBitmap } from '../../src/machine/shared-bitmap.ts';

const BITS = 200;
const index = fc.nat(BITS - 1);
const range = fc
  .tuple(index, fc.nat(BITS))
  .map(([first, count]) => [first, Math.min(count, BITS - first)] as const);

type Change =
  | { kind: 'set' | 'clear'; i: number }
  | { kind: 'setRange' | 'clearRange'; r: readonly [number, number] };
const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ kind: fc.constantFrom('set' as const, 'clear' as const), i: index }),
  fc.record({ kind: fc.constantFrom('setRange' as const, 'clearRange' as const), r: range }),
);

function apply(bitmap: SharedBitmap, model: Set<number>, c: Change): boolean {
  if (c.kind === 'set') {
    const newly = !model.has(c.i);
    model.add(c.i);
    return bitmap.set(c.i) === newly;
  }
  if (!('r' in c)) return bitmap.clear(c.i) === model.delete(c.i);
  const [first, count] = c.r;
  bitmap[c.kind](first, count);
  for (let i = first; i < first + count; i += 1) c.kind === 'setRange' ? model.add(i) : model.delete(i);
  return true;
}

function indices(bitmap: SharedBitmap): number[] {
  const found: number[] = [];
  for (let i = bitmap.nextSet(0); i !== -1; i = bitmap.nextSet(i + 1)) found.push(i);
  return found;
}

const sorted = (model: Set<number>) => [...model].sort((a, b) => a - b);

t.test('every change and every question agree with a set of numbers', (t) => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 40 }), range, (changes, [first, count]) => {
      const bitmap = SharedBitmap.allocate(BITS);
      const model = new Set<number>();
      for (const c of changes) if (!apply(bitmap, model, c)) return false;
      const end = first + count;
      const inRange = Array.from({ length: count }, (_, i) => first + i);
      return (
        indices(bitmap).join() === sorted(model).join() &&
        bitmap.count() === model.size &&
        bitmap.countRange(first, count) === inRange.filter((i) => model.has(i)).length &&
        bitmap.nextSet(first, end) === (inRange.find((i) => model.has(i)) ?? -1) &&
        bitmap.previousSet(end, first) === (inRange.findLast((i) => model.has(i)) ?? -1) &&
        bitmap.nextClear(first, end) === (inRange.find((i) => !model.has(i)) ?? -1) &&
        bitmap.test(first) === model.has(first)
      );
    }),
    { seed: 2, numRuns: 1000 },
  );
  t.end();
});

t.test('a sync moves the log over and counts what is new', (t) => {
  fc.assert(
    fc.property(fc.uniqueArray(index), fc.uniqueArray(index), (dirty, logged) => {
      const bitmap = SharedBitmap.allocate(BITS);
      const log = SharedBitmap.allocate(BITS);
      for (const i of dirty) bitmap.set(i);
      for (const i of logged) log.set(i);
      const told: number[] = [];
      const newlySet = bitmap.takeFrom(log, (first, bits) => {
        for (let bit = 0; bit < 32; bit += 1) if ((bits >>> bit) & 1) told.push(first + bit);
      });
      const union = new Set([...dirty, ...logged]);
      return (
        newlySet === union.size - dirty.length &&
        log.count() === 0 &&
        told.join() === sorted(new Set(logged)).join() &&
        indices(bitmap).join() === sorted(union).join()
      );
    }),
    { seed: 3 },
  );
  t.throws(() => SharedBitmap.allocate(10).takeFrom(SharedBitmap.allocate(11)), RangeError);
  t.end();
});

t.test('nothing is found beyond the last bit', (t) => {
  const bitmap = SharedBitmap.allocate(33);
  bitmap.setRange(0, 33);
  t.equal(bitmap.nextClear(0), -1);
  t.equal(bitmap.nextSet(33), -1);
  t.equal(bitmap.nextSet(5, 5), -1);
  t.throws(() => bitmap.setRange(30, 4), RangeError);
  t.throws(() => bitmap.clearRange(-1, 1), RangeError);
  t.end();
});

t.test('bits beyond 2^31 are their own', (t) => {
  const bitmap = SharedBitmap.allocate(2 ** 32);
  const last = 2 ** 32 - 1;
  t.equal(bitmap.set(last), true);
  t.equal(bitmap.set(2 ** 31), true);
  t.equal(bitmap.test(last), true);
  t.equal(bitmap.test(2 ** 31 - 1), false);
  t.equal(bitmap.nextSet(2 ** 32 - 100), last);
  t.equal(bitmap.nextSet(2 ** 31 - 5, 2 ** 31 + 5), 2 ** 31);
  bitmap.setRange(2 ** 32 - 70, 70);
  t.equal(bitmap.countRange(2 ** 32 - 100, 100), 70);
  t.throws(() => SharedBitmap.allocate(2 ** 32 + 1), RangeError);
  t.end();
});

t.test('its bytes are those of the received bitmap on the wire', (t) => {
  const bitmap = SharedBitmap.allocate(1);
  bitmap.set(0);
  // QEMU's, captured: a block of one page.
  t.same(Buffer.from(bitmap.littleEndianBytes()).toString('hex'), '0100000000000000');
  const longer = SharedBitmap.allocate(65);
  for (const i of [3, 8, 40, 64]) longer.set(i);
  t.same(Buffer.from(longer.littleEndianBytes()).toString('hex'), '08010000000100000100000000000000');
  t.end();
});

t.test('popcount agrees with counting digits', (t) => {
  fc.assert(
    fc.property(fc.integer(), (word) => {
      return popcount(word) === (word >>> 0).toString(2).replaceAll('0', '').length;
    }),
    { seed: 4 },
  );
  t.end();
});
