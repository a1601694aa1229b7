// The clock of an emulated link: exact by hand, and by property against a link that sends byte by byte.
import fc from 'fast-check';
import t from 'tap';
import { LinkClock } from '../../src/transport/link-clock.ts';
import { defaultQueueBytes } from '../../src/transport/link-spec.ts';

/** 1 byte in 1 ns. */
const EIGHT_GBIT = 1e9;

t.test('an idle link sends at once, and a busy one in turn', async (t) => {
  const clock = new LinkClock({ bytesPerSecond: EIGHT_GBIT, delayNs: 500, queueBytes: 10_000 });
  t.strictSame(clock.take(1000, 100), { beginsNs: 100, leftNs: 1100, arrivesNs: 1600 });
  t.strictSame(clock.take(1000, 200), { beginsNs: 1100, leftNs: 2100, arrivesNs: 2600 }, 'behind the first');
  t.strictSame(clock.take(500, 2100), { beginsNs: 2100, leftNs: 2600, arrivesNs: 3100 }, 'just in time');
  t.strictSame(clock.take(1, 9000), { beginsNs: 9000, leftNs: 9001, arrivesNs: 9501 }, 'after a pause');
});

t.test('a full queue takes nothing before it has room', async (t) => {
  const clock = new LinkClock({ bytesPerSecond: EIGHT_GBIT, delayNs: 0, queueBytes: 2500 });
  clock.take(1000, 0);
  clock.take(1000, 0);
  t.equal(clock.roomNs(500), 0, 'as much as it has room for');
  t.equal(clock.roomNs(501), 1, 'a byte more');
  t.equal(clock.take(1000, 499), undefined);
  t.strictSame(
    clock.take(1000, 500),
    { beginsNs: 2000, leftNs: 3000, arrivesNs: 3000 },
    'and nothing was taken',
  );
  t.equal(clock.roomNs(9999), 3000, 'what is longer than the queue has to find it empty');
  t.equal(clock.take(9999, 2999), undefined);
  t.equal(clock.take(9999, 3000)?.leftNs, 12_999);
});

t.test(
  'another link from now on: what was taken leaves as it was to, what follows at the new rate',
  async (t) => {
    const clock = new LinkClock({ bytesPerSecond: EIGHT_GBIT, delayNs: 500, queueBytes: 10_000 });
    clock.take(1000, 0);
    clock.reshape({ bytesPerSecond: EIGHT_GBIT / 10, delayNs: 7, queueBytes: 100 });
    t.equal(clock.freeNs, 1000);
    t.strictSame(clock.take(50, 600), { beginsNs: 1000, leftNs: 1500, arrivesNs: 1507 });
    t.equal(clock.take(60, 600), undefined, 'in the new queue');
    t.equal(clock.roomNs(60), 1100);
    clock.reshape({ bytesPerSecond: EIGHT_GBIT, delayNs: 0, queueBytes: 100 });
    t.strictSame(clock.take(10, 9000), { beginsNs: 9000, leftNs: 9010, arrivesNs: 9010 });
  },
);

t.test('a page of 1 GiB at 10 Gbit/s takes 0.86 s', async (t) => {
  const clock = new LinkClock({ bytesPerSecond: 1.25e9, delayNs: 50_000, queueBytes: 2 ** 31 });
  t.equal(clock.take(2 ** 30, 0)?.arrivesNs, 858_993_459.2 + 50_000);
});

t.test('a million segments do not drift', async (t) => {
  // 10 Gbit/s: no whole number of ns per segment.
  const clock = new LinkClock({ bytesPerSecond: 1.25e9, delayNs: 0, queueBytes: 3000 });
  const beginNs = 5e15; // two months after boot
  for (let index = 0; index < 1_000_000; index += 1) clock.take(1448, Math.max(beginNs, clock.roomNs(1448)));
  t.equal(clock.freeNs - beginNs, (1448 * 1e6) / 1.25);
});

t.test('the queue that nobody asked for', async (t) => {
  t.equal(defaultQueueBytes(1.25e9), 1_250_000, '1 ms of 10 Gbit/s');
  t.equal(defaultQueueBytes(1.25e6), 16_384, '10 Mbit/s');
});

/** Bytes one by one, each leaving when it is there and the one before it has left. */
class NaiveLink {
  readonly #departuresNs: number[] = [];
  readonly #queueBytes: number;

  constructor(queueBytes: number) {
    this.#queueBytes = queueBytes;
  }

  /** Bytes in the queue, the one that is leaving included. */
  lengthAt(nowNs: number): number {
    return this.#departuresNs.filter((leftNs) => leftNs > nowNs).length;
  }

  /** When the last byte has left; undefined if the queue has no room. */
  take(lengthBytes: number, nowNs: number): number | undefined {
    const waiting = this.lengthAt(nowNs);
    if (waiting + lengthBytes > this.#queueBytes && waiting > 0) return undefined;
    for (let index = 0; index < lengthBytes; index += 1) {
      this.#departuresNs.push(Math.max(nowNs, this.#departuresNs.at(-1) ?? 0) + 1);
    }
    return this.#departuresNs.at(-1);
  }
}

t.test('the clock is that of a link that sends byte by byte', async () => {
  const step = fc.record({ pauseNs: fc.nat(60), lengthBytes: fc.integer({ min: 1, max: 40 }) });
  fc.assert(
    fc.property(
      fc.array(step, { minLength: 1, maxLength: 40 }),
      fc.integer({ min: 1, max: 80 }),
      fc.nat(1000),
      (steps, queueBytes, delayNs) => {
        const clock = new LinkClock({ bytesPerSecond: EIGHT_GBIT, delayNs, queueBytes });
        const naive = new NaiveLink(queueBytes);
        let nowNs = 0;
        for (const { pauseNs, lengthBytes } of steps) {
          nowNs += pauseNs;
          const roomNs = clock.roomNs(lengthBytes);
          const taken = clock.take(lengthBytes, nowNs);
          const leftNs = naive.take(lengthBytes, nowNs);
          if (taken?.leftNs !== leftNs) return false;
          if (taken !== undefined && taken.arrivesNs !== taken.leftNs + delayNs) return false;
          if ((taken === undefined) !== roomNs > nowNs) return false;
        }
        return true;
      },
    ),
    { seed: 4, numRuns: 1000 },
  );
});

t.test('never faster than the rate, first in first out, never more in the queue than it holds', async () => {
  const step = fc.record({ pauseNs: fc.nat(20_000), lengthBytes: fc.integer({ min: 1, max: 9000 }) });
  fc.assert(
    fc.property(
      fc.array(step, { minLength: 2, maxLength: 60 }),
      fc.integer({ min: 1e6, max: 5e9 }),
      fc.integer({ min: 9000, max: 1e6 }),
      (steps, bytesPerSecond, queueBytes) => {
        const clock = new LinkClock({ bytesPerSecond, delayNs: 7, queueBytes });
        const taken: { lengthBytes: number; beginsNs: number; leftNs: number; takenNs: number }[] = [];
        let nowNs = 0;
        for (const { pauseNs, lengthBytes } of steps) {
          nowNs = Math.max(nowNs + pauseNs, clock.roomNs(lengthBytes));
          const departure = clock.take(lengthBytes, nowNs);
          if (departure === undefined) return false;
          taken.push({ ...departure, lengthBytes, takenNs: nowNs });
        }
        const slackNs = 1e-3; // of rounding, in times of a few ms
        return taken.every((one, index) => {
          const before = taken[index - 1];
          if (before !== undefined && one.beginsNs < before.leftNs - slackNs) return false;
          if (one.leftNs - one.beginsNs < (one.lengthBytes * 1e9) / bytesPerSecond - slackNs) return false;
          // What had not left when it was taken, itself included, in ns of the link.
          return ((one.leftNs - one.takenNs) * bytesPerSecond) / 1e9 <= queueBytes + 1;
        });
      },
    ),
    { seed: 4, numRuns: 500 },
  );
});
