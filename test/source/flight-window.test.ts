// How much may be under way: counted by PINGs and PONGs, and fitted to the link.
import fc from 'fast-check';
import t from 'tap';
import { type FlightLimit, FlightWindow, LEAST_FLIGHT_BYTES } from '../../src/source/flight-window.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

/** Sends in batches while the window lets it, over a link that takes bytes in order; returns the most under way. */
function push(
  window: FlightWindow,
  link: { bytesPerNs: number; roundTripNs: number },
  totalBytes: number,
): { mostUnderWay: number; elapsedNs: number } {
  const pongs: { atNs: number; value: number; sentBytes: number }[] = [];
  let [nowNs, linkFreeNs, sentBytes, answeredBytes, mostUnderWay] = [0, 0, 0, 0, 0];
  const answer = (): void => {
    const pong = pongs.shift()!;
    nowNs = Math.max(nowNs, pong.atNs);
    answeredBytes = pong.sentBytes;
    window.onPong(pong.value, nowNs);
  };
  while (sentBytes < totalBytes) {
    while (pongs.length > 0 && (pongs[0]!.atNs <= nowNs || window.isFull)) answer();
    if (window.isFull) throw new Error('it waits for a PONG, and no PING is unanswered');
    const batch = Math.min(window.batchBytes, 512 * KIB);
    window.onSent(batch);
    sentBytes += batch;
    linkFreeNs = Math.max(linkFreeNs, nowNs) + batch / link.bytesPerNs;
    mostUnderWay = Math.max(mostUnderWay, sentBytes - answeredBytes);
    if (window.isPingDue)
      pongs.push({ atNs: linkFreeNs + link.roundTripNs, value: window.ping(nowNs), sentBytes });
    nowNs += 1000;
  }
  const elapsedNs = Math.max(nowNs, linkFreeNs);
  while (pongs.length > 0) answer();
  return { mostUnderWay, elapsedNs };
}

t.test('a PING is due after a quarter of the window, and its PONG makes room again', async (t) => {
  const window = new FlightWindow(256 * KIB);
  t.equal(window.batchBytes, 64 * KIB);
  window.onSent(64 * KIB - 1);
  t.equal(window.isPingDue, false);
  window.onSent(1);
  t.equal(window.isPingDue, true);
  t.equal(window.ping(0), 0x100);
  t.equal(window.isPingDue, false);
  for (const value of [0x101, 0x102, 0x103]) {
    t.equal(window.isFull, false);
    window.onSent(64 * KIB);
    t.equal(window.ping(0), value);
  }
  t.equal(window.isFull, true);
  t.equal(window.onPong(0x100, 10), true);
  t.equal(window.isFull, false);
  window.onSent(64 * KIB);
  t.equal(window.isFull, true);
});

t.test(
  'PONGs of other PINGs are not its own, nor is one twice, and they may change places (S31)',
  async (t) => {
    const window = new FlightWindow(256 * KIB);
    for (let index = 0; index < 4; index += 1) {
      window.onSent(64 * KIB);
      window.ping(index);
    }
    t.equal(window.onPong(4, 10), false);
    t.equal(window.onPong(0x102, 10), true, 'the third, so the first two have arrived as well');
    t.equal(window.onPong(0x102, 10), false);
    window.onSent(191 * KIB);
    t.equal(window.isFull, false);
    t.equal(window.onPong(0x100, 11), true);
    window.onSent(KIB);
    t.equal(window.isFull, true, 'an older PONG takes nothing back and gives nothing more');
  },
);

t.test('a window that has shrunk is not full of bytes that no PING has followed', async (t) => {
  const window = new FlightWindow('auto');
  window.onRoundTrip(100_000);
  window.onSent(window.batchBytes);
  const value = window.ping(0);
  window.onSent(window.batchBytes - 1);
  window.onPong(value, 1e9);
  t.equal(window.windowBytes, LEAST_FLIGHT_BYTES, 'a slow link');
  t.equal(window.isFull, false, 'or it would wait for ever');
  t.equal(window.isPingDue, true);
});

t.test('unbounded is never full and asks for no PING', async (t) => {
  const window = new FlightWindow('unbounded');
  window.onSent(2 ** 40);
  t.equal(window.isFull, false);
  t.equal(window.isPingDue, false);
  t.equal(window.batchBytes, Number.POSITIVE_INFINITY);
});

t.test('auto follows the link: enough to fill it, and no queue of milliseconds', async (t) => {
  const links = [
    { name: '1 Gbit/s, 100 us', bytesPerNs: 0.125, roundTripNs: 100_000 },
    { name: '10 Gbit/s, 50 us', bytesPerNs: 1.25, roundTripNs: 50_000 },
    { name: '10 Gbit/s, 10 ms', bytesPerNs: 1.25, roundTripNs: 10_000_000 },
  ];
  for (const link of links) {
    const window = new FlightWindow('auto');
    window.onRoundTrip(link.roundTripNs + 20_000);
    push(window, link, 64 * MIB); // it learns
    const { elapsedNs } = push(window, link, 512 * MIB);
    const share = (512 * MIB) / link.bytesPerNs / elapsedNs;
    t.ok(share > 0.9, `${link.name}: ${(share * 100).toFixed(0)} % of the link`);
    const queueNs = window.windowBytes / link.bytesPerNs - link.roundTripNs;
    t.ok(queueNs < link.roundTripNs + 1_200_000, `${link.name}: ${(queueNs / 1e6).toFixed(2)} ms of queue`);
  }
});

t.test('never more under way than the window and a batch', async () => {
  const limit = fc.oneof(fc.constant<FlightLimit>('auto'), fc.integer({ min: LEAST_FLIGHT_BYTES, max: MIB }));
  const bytesPerNs = fc.double({ min: 0.001, max: 4, noNaN: true });
  const roundTripNs = fc.integer({ min: 1000, max: 50_000_000 });
  fc.assert(
    fc.property(limit, bytesPerNs, roundTripNs, (limit, bytesPerNs, roundTripNs) => {
      const window = new FlightWindow(limit);
      const { mostUnderWay } = push(window, { bytesPerNs, roundTripNs }, 8 * MIB);
      const most = typeof limit === 'number' ? limit : 64 * MIB;
      return mostUnderWay <= most + most / 4 && window.windowBytes >= LEAST_FLIGHT_BYTES;
    }),
    { seed: 7, numRuns: 300 },
  );
});
