// The fault log: what goes in comes out, across growth and across threads.
import fc from 'fast-check';
import t from 'tap';
import { type FaultEntry, FaultLog } from '../../src/telemetry/fault-log.ts';

const entry = (n: number): FaultEntry => ({
  blockIndex: n % 2,
  hostPage: n,
  pageBytes: 2 ** 30,
  faultNs: 2 ** 52 + n,
  requestedNs: n * 3,
  firstByteNs: n * 5,
  lastBytesNs: n * 6,
  placedNs: n * 7,
  resumedNs: n * 11,
});
const NAMES = ['pc.ram', 'vga.vram'];

t.test('keeps every field of every fault, in order, through growth and hand-over', async (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1500 }), fc.integer({ min: 0, max: 1500 }), (before, after) => {
      const first = new FaultLog(7);
      for (let n = 0; n < before; n++) first.append(entry(n));
      const data = first.handOver();
      const posted = structuredClone(data, { transfer: [data.columns.buffer] });
      const second = new FaultLog(posted.vcpu, posted);
      for (let n = before; n < before + after; n++) second.append(entry(n));
      const expected = Array.from({ length: before + after }, (_, n) => {
        const { blockIndex, ...rest } = entry(n);
        return { block: NAMES[blockIndex], vcpu: 7, ...rest };
      });
      const found = second.toRecords(NAMES);
      if (
        second.count !== before + after ||
        JSON.stringify(sortKeys(found)) !== JSON.stringify(sortKeys(expected))
      ) {
        throw new Error(`differs with ${before} + ${after} faults`);
      }
    }),
    { seed: 2018, numRuns: 20 },
  );
  t.equal(new FaultLog(0).toRecords([]).length, 0);
});

function sortKeys(records: readonly object[]): unknown[] {
  return records.map((record) =>
    Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1))),
  );
}

t.test('goes on empty after the hand-over', async (t) => {
  const log = new FaultLog(0);
  log.append(entry(1));
  t.equal(log.handOver().count, 1);
  t.equal(log.count, 0);
  log.append(entry(4));
  t.strictSame(
    log.toRecords(NAMES).map((fault) => fault.hostPage),
    [4],
  );
});

t.test('a block without a name is our bug', async (t) => {
  const log = new FaultLog(0);
  log.append(entry(1));
  t.throws(() => log.toRecords(['pc.ram']), { name: 'GuestError', code: 'fault-block-unknown' });
});
