// Numbers with units: exact texts, and three digits at every edge.
import fc from 'fast-check';
import t from 'tap';
import { formatBytes, formatCount, formatNs, formatRate } from '../../src/cli/format-quantity.ts';

t.test('durations', async (t) => {
  const cases: [number | null, string][] = [
    [null, '-'],
    [0, '0 ns'],
    [0.4, '0 ns'],
    [94.5, '95 ns'],
    [999, '999 ns'],
    [999.4, '999 ns'],
    [999.6, '1.00 us'],
    [1000, '1.00 us'],
    [12_345, '12.3 us'],
    [999_499, '999 us'],
    [999_500, '1.00 ms'],
    [859_000_000, '859 ms'],
    [1e9, '1.00 s'],
    [54.6e9, '54.6 s'],
    [12_345e9, '12345 s'],
  ];
  for (const [ns, text] of cases) t.equal(formatNs(ns), text, String(ns));
});

t.test('bytes', async (t) => {
  const cases: [number | null, string][] = [
    [null, '-'],
    [0, '0 B'],
    [4096, '4 KiB'],
    [1023, '1023 B'],
    [1536, '1.50 KiB'],
    [2 ** 24, '16 MiB'],
    [2 ** 34, '16 GiB'],
    [2_154_000_000, '2.01 GiB'],
    [2 ** 60, '1048576 TiB'],
  ];
  for (const [bytes, text] of cases) t.equal(formatBytes(bytes), text, String(bytes));
});

t.test('rates and counts', async (t) => {
  t.equal(formatRate(1.18e9), '1180 MB/s (9.44 Gbit/s)');
  t.equal(formatRate(125e6), '125 MB/s (1.00 Gbit/s)');
  t.equal(formatRate(14_300), '14.3 kB/s (114 kbit/s)');
  t.equal(formatRate(0), '0.00 B/s (0.00 bit/s)');
  t.equal(formatRate(null), '-');
  t.equal(formatCount(0), '0');
  t.equal(formatCount(null), '-');
});

t.test('a printed duration is within half a unit of its third digit', async () => {
  const units: Record<string, number> = { ns: 1, us: 1e3, ms: 1e6, s: 1e9 };
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1e12 }), (ns) => {
      const [number, unit] = formatNs(ns).split(' ');
      const printedNs = Number(number) * units[unit!]!;
      return Math.abs(printedNs - ns) <= ns * 0.005 + 1e-6 && number!.replace('.', '').length <= 4;
    }),
    { seed: 2018, numRuns: 1000 },
  );
});
