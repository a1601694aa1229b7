// The report of a result: what it must say, where it must warn, and that it fits a terminal.
import { stripVTControlCharacters } from 'node:util';
import t from 'tap';
import { histogramLines } from '../../src/cli/report-stalls.ts';
import { reportLines } from '../../src/cli/report-text.ts';
import type { MigrationResult } from '../../src/telemetry/result.ts';
import { DEMO, DESTINATION, SOURCE } from '../telemetry/sample-results.ts';

const LONG = 'x'.repeat(255);

t.test('a destination, line by line', async (t) => {
  t.strictSame(reportLines(DESTINATION), [
    'destination: completed in 1.91 s, downtime 8.25 ms',
    '  precopy 612 ms, postcopy-active 1.30 s',
    '',
    'Page sizes',
    '  block     source page  destination page  placement page',
    '  pc.ram         16 MiB             1 GiB           1 GiB',
    '  vga.vram            -             4 KiB           4 KiB',
    '',
    'Moved',
    '  target pages  precopy 1024, background 262144, requested 262145',
    '                zero 17, duplicate -',
    '  bytes         wire 2.01 GiB, discarded 2 GiB, amplified -',
    '  collapsed     1024 pages of 2 MiB in 10.0 ms, longest 11.0 us (emulated)',
    '                  in pieces: 500 us in the mean, at most 40.0 ms; 1 still',
    '                2 host pages in 41.0 us, longest 22.0 us (emulated)',
    '                  in pieces: 450 ms in the mean, at most 600 ms',
    '  wire rate     mean 1130 MB/s (9.04 Gbit/s), peak 1990 MB/s (15.9 Gbit/s)',
    '  link: loopback, not shaped',
    '',
    'Emulated link',
    '  each way: 10 Gbit/s, 50.0 us on the way, queue 1.19 MiB',
    '  asked 10 Gbit/s, carried 8.8 Gbit/s: this machine was no faster',
    '  round trip: asked 100 us, measured 183 us (least of 5 PINGs; p50 240 us)',
    '  handed over late by: to the destination p50 12.0 us p99 90.0 us max 2.10 ms',
    '',
    'Stalls',
    '  --touch: all RAM in random order (seed 7), as if by one more vCPU',
    '  3 × 400 ms = 1.20 s (faults × mean = total); 2 requests',
    '  wire alone 3 × 360 ms = 1.08 s',
    '  p50 600 ms  p90 600 ms  p99 600 ms  p99.9 600 ms  max 600 ms',
    '      wire alone, one page: 20.0 us to 540 ms',
    '  all vCPUs blocked at once (blocktime): 599 ms',
    '  mean hops: fault 3.00 us > request 90.0 us > first byte 400 ms > placed',
    '             11.0 us > running',
    '  76 % of the stall waited for the rest of the page',
    '    restOfPage 76 %, behindPage 22 %, behindFlight 2 %, behindBackground <1 %,',
    '      wire <1 %, request <1 %, copy <1 %, wake <1 %, trap <1 %, source <1 %',
    '    clocks aligned to -3.70 s ± 45.0 us by a round trip of 90.0 us; 2 stalls',
    '      told by the source; 1 clipped, by 12.0 us at most',
    '  block      page       p50       p99       max  wire alone',
    '  pc.ram    1 GiB    600 ms    600 ms    600 ms      540 ms',
    '      2 × 600 ms = 1.20 s; wire alone 2 × 540 ms = 1.08 s',
    '  vga.vram  4 KiB  12.0 us!  12.0 us!  12.0 us!     20.0 us',
    '      1 × 12.0 us! = 12.0 us; wire alone 1 × 20.0 us = 20.0 us',
    '      ! 1 stall under the floor (1 of a page in flight)',
    '  vCPU   faults      mean   total     max  blocked  wire alone',
    '  0         2 ×  300 ms =  600 ms  600 ms   600 ms      540 ms',
    '  touch     1 ×  600 ms =  600 ms  600 ms   600 ms      540 ms',
    '   from 8.00 us |####################                    | 1',
    '   from 16.0 us |                                        | 0',
    '   from 32.0 us |                                        | 0',
    '   from 64.0 us |                                        | 0',
    '    from 128 us |                                        | 0',
    '    from 256 us |                                        | 0',
    '    from 512 us |                                        | 0',
    '   from 1.02 ms |                                        | 0',
    '   from 2.05 ms |                                        | 0',
    '   from 4.10 ms |                                        | 0',
    '   from 8.19 ms |                                        | 0',
    '   from 16.4 ms |                                        | 0',
    '   from 32.8 ms |                                        | 0',
    '   from 65.5 ms |                                        | 0',
    '    from 131 ms |                                        | 0',
    '    from 262 ms |                                        | 0',
    '    from 524 ms |########################################| 2',
    '',
    'Push',
    '  host pages that came unasked: 61; 40 touched (hits), 21 not (wasted)',
    '  host pages that faulted: 2, 1 of them after their first byte (hits)',
    '',
    'Machinery of the emulation',
    '  clock 95 ns, waking a thread p50 10.5 us p99 21.0 us (200 rounds), 2 hardware',
    '    threads, Node v20.20.2',
    '',
    'guest verified',
    '  the final RAM equals that of the same guest run without migration to the same',
    '    access counts',
    '  pc.ram    sha256 9f86d081884c7d65…',
    '  vga.vram  sha256 9f86d081884c7d65…',
  ]);
});

t.test('a source that failed, line by line', async (t) => {
  t.strictSame(reportLines(SOURCE), [
    'source: failed in 1.91 s, downtime 8.25 ms',
    '  page-size-mismatch: expected host pages of 16777216 bytes in pc.ram, found',
    '    1073741824 (rule D31, stream main, offset 411, state advise)',
    '  precopy 612 ms, postcopy-active 1.30 s',
    '',
    'Page sizes',
    '  block     source page  destination page  placement page',
    '  pc.ram         16 MiB             1 GiB           1 GiB',
    '  vga.vram            -             4 KiB           4 KiB',
    '',
    'Moved',
    '  target pages  precopy 1024, background 262144, requested 262145',
    '                zero 17, duplicate -',
    '  bytes         wire 2.01 GiB, discarded 2 GiB, amplified -',
    '  wire rate     mean 1130 MB/s (9.04 Gbit/s), peak 1990 MB/s (15.9 Gbit/s)',
    '  link: loopback, not shaped',
    '',
    'Emulated link',
    '  each way: 10 Gbit/s, 50.0 us on the way, queue 1.19 MiB',
    '  asked 10 Gbit/s, carried 8.8 Gbit/s: this machine was no faster',
    '  round trip: asked 100 us, measured 183 us (least of 5 PINGs; p50 240 us)',
    '  handed over late by: to the destination p50 12.0 us p99 90.0 us max 2.10 ms',
    '',
    'Precopy passes, expected downtime',
    '  pass    took      sent  remaining  expected  before 3.0      own  own old',
    '  1     612 ms  2.00 GiB  78.1 MiB<   300 ms*     300 ms*  23.3 ms  38.1 ms',
    '  expected: remaining / bandwidth; before 3.0: dirty rate / bandwidth',
    '  own: the same two, over this pass alone',
    '  *: not updated in this pass, which was too short for QEMU',
    '  <: less than the downtime limit lets through, by either bandwidth',
    '',
    'Push',
    '  none: 3 of 7 requests found their page sent (hits)',
    '  pull only for 1.20 s, then the rest was pushed',
    '  background waited 12.0 ms for requests, at most 3.40 ms at a time',
    '  the rest of a requested host page first: 2 host pages',
    '  pieces of 2 MiB: 1024, 9 of them interrupted by a request',
    '',
    'Machinery of the emulation',
    '  not calibrated',
    '',
    'guest unharmed at the source',
    '  went on, 4000 accesses since; all RAM equals that of a guest never migrated',
  ]);
});

t.test('a demo tells its steps first, then the figures', async (t) => {
  t.strictSame(reportLines(DEMO).slice(0, 20), [
    'scenario power8-to-power9',
    '',
    'step 1: without negotiation',
    '  expected: refused as QEMU refuses it',
    '  source: failed in 1.91 s, downtime 8.25 ms',
    '    page-size-mismatch: expected host pages of 16777216 bytes in pc.ram, found',
    '      1073741824 (rule D31, stream main, offset 411, state advise)',
    '    guest at the source: went on, 4000 accesses since; all RAM equals that of a',
    '      guest never migrated',
    '  destination: ended without a result',
    '  as expected',
    '',
    'step 2: negotiated',
    '  expected: completed and verified',
    '  source: ended without a result',
    '  destination: completed in 1.91 s, downtime 8.25 ms',
    '  as expected',
    '',
    'demo: completed in 1.91 s, downtime 8.25 ms',
    '  precopy 612 ms, postcopy-active 1.30 s',
  ]);
});

t.test('no line is wider than 80 columns, whatever the names', async (t) => {
  const stalls = DESTINATION.stalls!;
  const wide: MigrationResult = {
    ...SOURCE,
    passes: SOURCE.passes.map((pass) => ({
      ...pass,
      pass: 9999,
      durationNs: 54_600_000_000,
      remainingBytes: 1023 * 2 ** 20,
    })),
    guestVerification: `${LONG} ${LONG}`,
    ramSha256: { [LONG]: 'f'.repeat(64) },
    negotiated: [
      {
        block: LONG,
        sourceHostPageBytes: 2 ** 34,
        destinationHostPageBytes: 2 ** 34,
        placementPageBytes: 2 ** 34,
      },
    ],
    pages: {
      precopy: 123_456_789,
      postcopyBackground: 123_456_789,
      requested: 123_456_789,
      zero: 123_456_789,
      duplicate: 123_456_789,
    },
    stalls: {
      ...stalls,
      count: 1_000_000,
      requests: 1_000_000,
      perBlock: stalls.perBlock.map((block) => ({
        ...block,
        block: LONG,
        count: 1_000_000,
        underFloor: 1e6,
        underFloorInFlight: 1e6,
      })),
      latencyBuckets: new Array(24).fill(1_000_000),
    },
    machinery: DESTINATION.machinery,
    error: { ...SOURCE.error, message: LONG },
  };
  for (const result of [DESTINATION, SOURCE, DEMO, wide]) {
    for (const line of reportLines(result)) t.ok(line.length <= 80, `${line.length}: ${line}`);
  }
});

t.test('colour only when told, and the same words', async (t) => {
  for (const result of [DESTINATION, SOURCE, DEMO]) {
    const plain = reportLines(result).join('\n');
    const colored = reportLines(result, { color: true }).join('\n');
    t.notOk(plain.includes('\x1b'));
    t.ok(colored.includes('\x1b[32m') || colored.includes('\x1b[31m'));
    t.equal(stripVTControlCharacters(colored), plain);
  }
});

t.test('completed without verification is not painted as success', async (t) => {
  const [status] = reportLines({ ...DESTINATION, guestVerified: false }, { color: true });
  t.match(status, '\x1b[33mcompleted, guest not verified\x1b[0m');
});

t.test('a source that gave its guest away is just completed', async (t) => {
  const { error: _error, ...completed } = SOURCE;
  const lines = reportLines(
    { ...completed, status: 'completed', guestAtSource: null, guestVerification: 'the guest left' },
    { color: true },
  );
  t.match(lines[0], 'source: \x1b[32mcompleted\x1b[0m in 1.91 s');
  t.equal(lines.at(-1), 'the guest left');
});

t.test('a demo that was to be refused says so first and last, and one that was not does not', async (t) => {
  const refused = { ...DEMO, ...SOURCE, role: 'demo', steps: [DEMO.steps[0]!] } as const;
  const lines = reportLines(refused);
  t.ok(lines.includes('demo: refused, as expected, in 1.91 s, downtime 8.25 ms'));
  t.equal(lines.at(-1), 'refused, as expected');
  const unmet = reportLines({ ...refused, steps: [{ ...DEMO.steps[0]!, met: false }] });
  t.ok(unmet.includes('demo: failed in 1.91 s, downtime 8.25 ms'));
  t.notOk(unmet.includes('refused, as expected'));
});

t.test('a guest at the source that is not proved is painted as bad news', async (t) => {
  const guestAtSource = { isProved: false, verdict: 'the RAM differs', accessesSince: 1 };
  const lines = reportLines({ ...SOURCE, guestAtSource }, { color: true });
  t.ok(lines.includes('\x1b[31mguest at the source not proved\x1b[0m'));
});

t.test('names and reasons of a peer cannot drive the terminal', async (t) => {
  const evil = '\x1b[2J\r';
  const text = reportLines({
    ...DESTINATION,
    ramSha256: { [evil]: evil },
    guestVerification: evil,
    negotiated: [{ ...DESTINATION.negotiated[0]!, block: evil }],
    stalls: { ...DESTINATION.stalls!, perBlock: [{ ...DESTINATION.stalls!.perBlock[0]!, block: evil }] },
    error: { ...SOURCE.error, message: evil, code: evil, stream: evil },
    wire: { ...DESTINATION.wire, note: evil },
    times: { ...DESTINATION.times, phases: { [evil]: 1 } },
  }).join('\n');
  t.notOk(text.includes('\x1b') || text.includes('\r'));
});

t.test('no stall and no rate are said in words', async (t) => {
  const stalls = DESTINATION.stalls!;
  const none = reportLines({ ...DESTINATION, stalls: { ...stalls, count: 0 } }).join('\n');
  t.match(none, 'none: no vCPU touched a page that was missing');
  const perBlock = stalls.perBlock.map((block) => ({
    ...block,
    floorNs: null,
    underFloor: 0,
    underFloorInFlight: 0,
  }));
  const unknown = reportLines({ ...DESTINATION, stalls: { ...stalls, perBlock } }).join('\n');
  t.match(unknown, 'wire alone not known');
  t.match(unknown, 'wire alone, one page: not known, as the rate of the wire is not');
  t.notMatch(unknown, /\d!/, 'nothing is under a floor that is not known');
});

t.test('the histogram spans just the buckets that are not empty', async (t) => {
  const buckets: number[] = new Array(24).fill(0);
  t.strictSame(histogramLines(buckets), []);
  buckets[5] = 1;
  buckets[7] = 80;
  t.strictSame(histogramLines(buckets), [
    ` from 32.0 us |${'#'.padEnd(40)}| 1`,
    ` from 64.0 us |${''.padEnd(40)}| 0`,
    `  from 128 us |${'#'.repeat(40)}| 80`,
  ]);
  t.match(histogramLines([1, ...new Array(22).fill(0), 1]).at(0), 'under 2 us |');
  t.match(histogramLines([1, ...new Array(22).fill(0), 1]).at(-1), '>= 8.39 s |');
});
