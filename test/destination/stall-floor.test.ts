// Floors of stalls, from the rate achieved or from a link that is known.
import t from 'tap';
import { floorNote, floorOf } from '../../src/destination/stall-floor.ts';

t.test('from the best rate achieved', async (t) => {
  t.equal(floorOf(undefined, 4104e6)(4096), 1000);
  t.equal(floorOf(undefined, null)(4096), undefined);
  t.equal(floorOf(undefined, 0)(4096), undefined);
  t.match(floorNote(undefined), /not shaped/);
});

t.test('from a link that is known, a request and its way there included', async (t) => {
  const link = { bytesPerSecond: 1.25e9, rttNs: 100_000 };
  t.equal(floorOf(link, 4104e6)(4096), 3283.2 + 100_000);
  t.equal(floorOf(link, null)(2 ** 30), (2 ** 30 + 2 ** 21) / 1.25 + 100_000);
  t.match(floorNote(link), /10 Gbit\/s with an RTT of 100 us/);
});
