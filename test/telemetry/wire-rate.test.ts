// The meter of the wire's rate, told its times by hand and by a naive search of all windows.
import fc from 'fast-check';
import t from 'tap';
import { WireRate, wireBytesOfPage } from '../../src/telemetry/wire-rate.ts';

const MS = 1_000_000;

t.test('bytes of a page on the wire', async (t) => {
  t.equal(wireBytesOfPage(4096), 4104, 'one page word');
  t.equal(wireBytesOfPage(2 ** 21), 2 ** 21 + 512 * 8, '512 of them');
  t.equal(wireBytesOfPage(2 ** 34), 2 ** 34 + 2 ** 22 * 8, '16 GiB, past 32 bits');
});

t.test('nothing measured, nothing claimed', async (t) => {
  const rate = new WireRate(5);
  t.equal(rate.meanBytesPerSecond, null);
  t.equal(rate.peakBytesPerSecond, null);
  t.equal(rate.floorNs(4096), undefined);
  rate.add(1000, 5);
  t.equal(rate.peakBytesPerSecond, null, 'bytes, but no time');
  const silent = new WireRate(0);
  silent.add(0, 80 * MS);
  t.equal(silent.floorNs(4096), undefined, 'time, but no bytes');
});

t.test('a run shorter than a window is its own window', async (t) => {
  const rate = new WireRate(0);
  rate.add(4104, 1 * MS);
  rate.add(4104 * 3, 4 * MS);
  t.equal(rate.meanBytesPerSecond, (4104 * 4) / 0.004);
  t.equal(rate.peakBytesPerSecond, (4104 * 4) / 0.004, 'not the 3 pages in 3 ms, nor any other part');
  t.equal(rate.floorNs(4096), 1 * MS, '4 pages in 4 ms');
});

t.test('the peak finds 50 busy ms between idle ones', async (t) => {
  const rate = new WireRate(0);
  rate.add(100, 100 * MS);
  for (let ms = 101; ms <= 150; ms++) rate.add(4104, ms * MS);
  rate.add(100, 400 * MS);
  t.equal(rate.totalBytes, 200 + 50 * 4104);
  t.equal(rate.meanBytesPerSecond, rate.totalBytes / 0.4);
  t.equal(rate.peakBytesPerSecond, 4104 * 1000, '4104 bytes a ms');
  t.equal(rate.floorNs(2 ** 21), (wireBytesOfPage(2 ** 21) / 4104) * MS);
});

t.test('a channel that reports late does not turn the time back', async (t) => {
  const rate = new WireRate(0);
  rate.add(1000, 10 * MS);
  rate.add(1000, 8 * MS);
  t.equal(rate.meanBytesPerSecond, 2000 / 0.01);
});

t.test('the peak is that of the best window between two reports', async () => {
  // Reports a whole number of ms apart, so that each is a checkpoint; the shortest window of at least 50 ms before each.
  const reports = fc.array(fc.record({ ms: fc.integer({ min: 1, max: 40 }), bytes: fc.nat(100_000) }), {
    minLength: 1,
    maxLength: 120,
  });
  fc.assert(
    fc.property(reports, (steps) => {
      const rate = new WireRate(0);
      const points: [number, number][] = [[0, 0]];
      for (const { ms, bytes } of steps) {
        const [lastMs, lastBytes] = points.at(-1)!;
        points.push([lastMs + ms, lastBytes + bytes]);
        rate.add(bytes, (lastMs + ms) * MS);
      }
      const [endMs, endBytes] = points.at(-1)!;
      let naive = (endBytes * 1000) / endMs;
      for (const [ms, bytes] of points) {
        const start = points.findLast(([startMs]) => startMs <= ms - 50);
        if (start !== undefined) naive = Math.max(naive, ((bytes - start[1]) * 1000) / (ms - start[0]));
      }
      const found = rate.peakBytesPerSecond!;
      if (Math.abs(found - naive) > naive * 1e-9) throw new Error(`expected ${naive}, found ${found}`);
    }),
    { seed: 2018, numRuns: 300 },
  );
});
