// The meter of an emulated link, told all times by hand.
import t from 'tap';
import type { Departure } from '../../src/transport/link-clock.ts';
import { LinkMeter } from '../../src/transport/link-meter.ts';

const MS = 1e6;
/** 1000 bytes in 1 ms. */
const SPEC = { bytesPerSecond: 1e6, delayNs: 5 * MS, queueBytes: 10_000 };

function departure(beginsMs: number, leftMs: number): Departure {
  return { beginsNs: beginsMs * MS, leftNs: leftMs * MS, arrivesNs: leftMs * MS + SPEC.delayNs };
}

/** Sends and delivers, late by `lateMs`. */
function carry(
  meter: LinkMeter,
  bytes: number,
  [beginsMs, leftMs]: readonly [number, number],
  lateMs = 0,
): void {
  const { arrivesNs } = departure(beginsMs, leftMs);
  meter.delivered(bytes, meter.sent(bytes, departure(beginsMs, leftMs)), arrivesNs, arrivesNs + lateMs * MS);
}

t.test('nothing sent, nothing claimed', async (t) => {
  const figures = new LinkMeter(SPEC).figures();
  t.strictSame(figures, {
    ...SPEC,
    carriedBytes: 0,
    carriedBytesPerSecond: null,
    busyNs: 0,
    heldBackNs: 0,
    lateNs: null,
  });
});

t.test('a link that was always full carried its rate', async (t) => {
  const meter = new LinkMeter(SPEC);
  for (let ms = 100; ms < 150; ms += 1) carry(meter, 1000, [ms, ms + 1]);
  const { carriedBytes, carriedBytesPerSecond, busyNs } = meter.figures();
  t.strictSame([carriedBytes, carriedBytesPerSecond, busyNs], [50_000, 1e6, 50 * MS]);
});

t.test('a gap counts while the source makes more, and not while it has nothing to send', async (t) => {
  const gap = (isPaused: boolean) => {
    const meter = new LinkMeter(SPEC);
    carry(meter, 10_000, [0, 10]);
    if (isPaused) meter.pause();
    carry(meter, 10_000, [30, 40]);
    return meter.figures();
  };
  t.equal(gap(false).carriedBytesPerSecond, 20_000 / 0.04);
  t.equal(gap(false).busyNs, 40 * MS);
  t.equal(gap(true).carriedBytesPerSecond, 1e6);
  t.equal(gap(true).busyNs, 20 * MS);
});

t.test('a pause is over with the next bytes, and is none if these follow at once', async (t) => {
  const meter = new LinkMeter(SPEC);
  carry(meter, 10_000, [0, 10]);
  meter.pause();
  carry(meter, 10_000, [10, 20]);
  carry(meter, 10_000, [30, 40]);
  t.equal(meter.figures().busyNs, 40 * MS);
});

t.test('bytes that come late count against the rate, where there were enough of them', async (t) => {
  const long = new LinkMeter(SPEC);
  carry(long, 10_000, [0, 10], 10);
  t.equal(long.figures().carriedBytesPerSecond, 10_000 / 0.02);
  long.pause();
  carry(long, 1000, [50, 51], 10);
  t.equal(long.figures().busyNs, 21 * MS, 'a millisecond of bytes says nothing about the rate');
});

t.test('bytes under way do not count yet', async (t) => {
  const meter = new LinkMeter(SPEC);
  carry(meter, 10_000, [0, 10]);
  meter.pause();
  const stretch = meter.sent(5000, departure(20, 25));
  t.equal(meter.figures().busyNs, 10 * MS);
  meter.delivered(5000, stretch, 30 * MS, 30 * MS);
  t.equal(meter.figures().busyNs, 15 * MS);
});

t.test('lateness by percentile, each at most 9 % too high, and the time held back', async (t) => {
  const meter = new LinkMeter(SPEC);
  for (let ms = 0; ms < 100; ms += 1) carry(meter, 1000, [ms, ms + 1], ms < 98 ? 0.02 : 3);
  const { lateNs, heldBackNs } = meter.figures();
  t.ok(lateNs!.p50 >= 20_000 && lateNs!.p50 <= 21_900, `p50 ${lateNs!.p50}`);
  t.ok(lateNs!.p99 >= 3 * MS * 0.999 && lateNs!.p99 <= 3 * MS, `p99 ${lateNs!.p99}`);
  t.equal(Math.round(lateNs!.max), 3 * MS);
  t.equal(heldBackNs, 0);
  meter.heldBack(7);
  meter.heldBack(8);
  t.equal(meter.figures().heldBackNs, 15);
});

t.test('a link that became another one is measured anew', async (t) => {
  const meter = new LinkMeter(SPEC);
  const before = meter.sent(1000, departure(0, 1));
  for (let ms = 1; ms < 50; ms += 1) carry(meter, 1000, [ms, ms + 1]);
  meter.reshape({ ...SPEC, bytesPerSecond: 2e6 });
  t.equal(meter.figures().carriedBytesPerSecond, null);
  meter.delivered(1000, before, 6 * MS, 6 * MS);
  t.equal(meter.figures().carriedBytesPerSecond, null, 'what was under way counts to the old one');
  for (let ms = 100; ms < 150; ms += 1) carry(meter, 2000, [ms, ms + 1]);
  const { bytesPerSecond, carriedBytesPerSecond, carriedBytes } = meter.figures();
  t.equal(bytesPerSecond, 2e6);
  t.equal(Math.round(carriedBytesPerSecond!), 2e6);
  t.equal(carriedBytes, 150_000, 'bytes are those of both');
});
