// Zipf: the skew that YCSB promises, and constants that can be trusted.

import t from 'tap';
import { mix32 } from '../../src/machine/mix32.ts';
import { zipfConstants, zipfRank } from '../../src/machine/zipf.ts';

t.test('zeta is the sum of 1 / i^0.99, also where it is integrated', (t) => {
  let sum = 0;
  for (let i = 1; i <= 1_000_000; i += 1) sum += 1 / i ** 0.99;
  t.ok(Math.abs(zipfConstants(1_000_000).zeta / sum - 1) < 1e-9);
  t.equal(zipfConstants(1).zeta, 1);
  t.end();
});

t.test('ranks come as often as 1 / rank^0.99 says', (t) => {
  const items = 1000;
  const draws = 200_000;
  const constants = zipfConstants(items);
  const counts = new Uint32Array(items);
  for (let i = 0; i < draws; i += 1) counts[zipfRank(mix32(i) / 2 ** 32, items, constants)]! += 1;
  const share = (rank: number) => 1 / (rank + 1) ** 0.99 / constants.zeta;
  for (const rank of [0, 1]) {
    t.ok(Math.abs(counts[rank]! / draws / share(rank) - 1) < 0.05, `rank ${rank}`);
  }
  // The approximation for the other ranks is within a tenth for sums of many.
  const tail = counts.slice(500).reduce((sum, n) => sum + n, 0) / draws;
  let expected = 0;
  for (let rank = 500; rank < items; rank += 1) expected += share(rank);
  t.ok(Math.abs(tail / expected - 1) < 0.1, 'the tail');
  t.end();
});

t.test('a rank is always one of the items', (t) => {
  for (const items of [1, 2, 3, 10, 524288]) {
    const constants = zipfConstants(items);
    for (const u of [0, 0.1, 0.5, 0.9, 1 - 2 ** -32]) {
      const rank = zipfRank(u, items, constants);
      t.ok(Number.isInteger(rank) && rank >= 0 && rank < items, `${items} items, u = ${u}: ${rank}`);
    }
  }
  t.end();
});
