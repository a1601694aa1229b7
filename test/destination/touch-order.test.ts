// Every page is touched once, and the random order is one.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { TOUCH_ORDERS, type TouchOrder, touchIndices } from '../../src/destination/touch-order.ts';

const SEED = 20180418;

const inOrder = (order: TouchOrder, count: number, seed = 1) => [...touchIndices({ order, seed }, count)];

t.test('each index comes once, whatever their number and the seed', async (t) => {
  const cases = fc.property(
    fc.constantFrom(...TOUCH_ORDERS),
    fc.integer({ min: 1, max: 3000 }),
    fc.nat(2 ** 32 - 1),
    (order, count, seed) => {
      const sorted = inOrder(order, count, seed).sort((a, b) => a - b);
      assert.deepEqual(
        sorted,
        Array.from({ length: count }, (_, index) => index),
      );
    },
  );
  fc.assert(cases, { seed: SEED, numRuns: 500 });
  for (const order of TOUCH_ORDERS) t.strictSame(inOrder(order, 1), [0]);
});

t.test('up and down', async (t) => {
  t.strictSame(inOrder('ascending', 4), [0, 1, 2, 3]);
  t.strictSame(inOrder('descending', 4), [3, 2, 1, 0]);
});

t.test('the random order hangs on its seed alone, and looks like one', async (t) => {
  const count = 10_000;
  const order = inOrder('random', count, 7);
  t.strictSame(order, inOrder('random', count, 7));
  const other = inOrder('random', count, 8);
  const inPlace = order.filter((index, at) => index === other[at]).length;
  t.ok(inPlace < 20, `another seed, another order: ${inPlace} of ${count} in the same place, by chance 1`);
  // Of a random order about half of all steps go up, and few go to a neighbour.
  const steps = order.slice(1).map((index, at) => index - order[at]!);
  const up = steps.filter((step) => step > 0).length;
  t.ok(Math.abs(up - count / 2) < 300, `${up} of ${count} steps go up`);
  const near = steps.filter((step) => Math.abs(step) <= 8).length;
  t.ok(near < 60, `${near} of ${count} steps go to one of 16 neighbours, by chance 16`);
  const earlyLow = order.slice(0, count / 4).filter((index) => index < count / 4).length;
  t.ok(Math.abs(earlyLow - count / 16) < 150, `${earlyLow} of the first quarter lie in the first quarter`);
});

t.test('16 TiB of 4 KiB pages need no list', async (t) => {
  const first: number[] = [];
  for (const index of touchIndices({ order: 'random', seed: 1 }, 2 ** 32)) {
    if (first.push(index) === 100) break;
  }
  t.equal(new Set(first).size, 100);
  t.ok(first.every((index) => Number.isInteger(index) && index >= 0 && index < 2 ** 32));
  t.ok(first.some((index) => index >= 2 ** 31));
});
