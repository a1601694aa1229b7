// What a result says of an emulated link, in words; and round trips summed up.
import t from 'tap';
import {
  formatBitRate,
  type LinkDirectionResult,
  linkVerdict,
  missesItsRate,
} from '../../src/telemetry/link-result.ts';
import { summariseRoundTrips } from '../../src/telemetry/round-trips.ts';

function direction(askedGbit: number, carriedGbit: number | null, more: Partial<LinkDirectionResult> = {}) {
  return {
    bytesPerSecond: askedGbit / 8e-9,
    delayNs: 0,
    queueBytes: 1e6,
    carriedBytes: 1e9,
    carriedBytesPerSecond: carriedGbit === null ? null : carriedGbit / 8e-9,
    busyNs: 1e9,
    heldBackNs: 0,
    lateNs: null,
    ...more,
  };
}
const QUIET = direction(1, null, { busyNs: 0 });

t.test('rates in bits', async (t) => {
  t.strictSame([1.25e9, 1.775e9, 125e6, 1.25e6, 62_500, 1, 124.99e6].map(formatBitRate), [
    '10 Gbit/s',
    '14.2 Gbit/s',
    '1 Gbit/s',
    '10 Mbit/s',
    '500 kbit/s',
    '8 bit/s',
    '1 Gbit/s',
  ]);
});

t.test('a rate that the machine carries, within 2 %', async (t) => {
  t.equal(linkVerdict(direction(10, 9.81), QUIET), 'asked 10 Gbit/s, carried 9.81 Gbit/s');
  t.notOk(missesItsRate(direction(10, 9.81)));
});

t.test('a rate that it does not carry is said, with who is to blame', async (t) => {
  t.ok(missesItsRate(direction(25, 14.2)));
  t.equal(
    linkVerdict(direction(25, 14.2), QUIET),
    'asked 25 Gbit/s, carried 14.2 Gbit/s: this machine was no faster',
  );
  t.equal(
    linkVerdict(direction(25, 14.2, { heldBackNs: 0.3e9 }), QUIET),
    'asked 25 Gbit/s, carried 14.2 Gbit/s: the destination took no more',
  );
});

t.test('too little says nothing', async (t) => {
  t.equal(
    linkVerdict(direction(10, 5, { busyNs: 9e6 }), QUIET),
    'asked 10 Gbit/s, busy for too short a time to tell what it carried',
  );
  t.notOk(missesItsRate(direction(10, 5, { busyNs: 9e6 })));
  t.notOk(missesItsRate(direction(10, null)));
});

t.test('the return path is named where it was busy', async (t) => {
  t.equal(
    linkVerdict(direction(10, 10), direction(0.001, 0.0005)),
    'asked 10 Gbit/s, carried 10 Gbit/s; return path: asked 1 Mbit/s, carried 500 kbit/s: this machine was no faster',
  );
});

t.test('round trips', async (t) => {
  t.strictSame(summariseRoundTrips([]), { count: 0, minNs: null, p50Ns: null, maxNs: null });
  t.strictSame(summariseRoundTrips([30, 10, 20]), { count: 3, minNs: 10, p50Ns: 20, maxNs: 30 });
});
