// What is made of kept runs: summary, table, CSV, page and comparison, from runs that were made up.
import t from 'tap';
import { compareValues, summariseCells } from '../../bench/cells/cell-summary.ts';
import { compareResults, describeComparison } from '../../bench/cells/compare-results.ts';
import { formatDeviation } from '../../bench/cells/figure-text.ts';
import { pagePanels } from '../../bench/cells/html/page-plot.ts';
import { strategyGroups } from '../../bench/cells/html/strategy-section.ts';
import { timePlots } from '../../bench/cells/html/time-plot.ts';
import { reportCsv } from '../../bench/cells/report-csv.ts';
import { reportHtml } from '../../bench/cells/report-html.ts';
import { describeOrigins } from '../../bench/cells/report-notes.ts';
import { reportTable } from '../../bench/cells/report-table.ts';
import { spreadOf } from '../../bench/spread.ts';
import { SOURCE } from '../telemetry/sample-results.ts';
import { completedRun, failedRun, sampleSweep, storedRun } from './sample-runs.ts';

const summaries = summariseCells(sampleSweep());

t.test('each cell once, with median and spread over its repeats', async (t) => {
  t.equal(summaries.length, 8);
  const [large] = summaries.filter(({ cell }) => cell['destination-page'] === '2M' && cell.link === '10gbit');
  t.match(large, {
    verification: 'verified',
    isUnderFloor: false,
    figures: {
      p50: { count: 2, min: 5_610_000, median: 5_865_000, max: 6_120_000 },
      faults: { median: 100, min: 100, max: 100 },
      totalStall: { median: 586_500_000 },
      totalFloor: { median: 170_000_000 },
      floor: { median: 1_700_000 },
      migration: { median: 2e9 },
    },
    hops: { queueNs: 0, placeNs: 5_865_000 / 2 },
  });
  t.equal(large!.latencyBuckets[12], 200, '5.6 and 6.1 ms are in the bucket from 4.1 ms');
});

t.test('cells stand in order of their axes, by what values mean', async (t) => {
  const order = ['16M', 'none', '2M', '64K', '10gbit', '1gbit', '100us', '1ms'];
  t.strictSame(order.toSorted(compareValues).slice(0, 1), ['none']);
  t.strictSame(['16M', '64K', '2M', '1G'].toSorted(compareValues), ['64K', '2M', '16M', '1G']);
  t.strictSame(['10gbit', 'none', '100mbit'].toSorted(compareValues), ['none', '100mbit', '10gbit']);
  t.strictSame(['1ms', '100us'].toSorted(compareValues), ['100us', '1ms']);
});

t.test('the table: every stall beside its floor, what is under it marked, failures at the end', async (t) => {
  const table = reportTable(summaries);
  const row = (pattern: RegExp) => table.split('\n').find((line) => pattern.test(line));
  t.match(table, 'all cells: what is not named is the default');
  t.match(
    row(/destination-page 2M, link 10gbit/),
    /\| +2 \| +5\.87 ms ±4 % \| +5\.87 ms ±4 % \| +1\.70 ms ±0 % \| +100 ±0 % \| +587 ms ±4 % \| +170 ms ±0 % \| +2\.00 s ±0 % \| +verified \|$/,
  );
  t.match(row(/push bubble/), / 23\.0 us! ±4 % /);
  t.match(table, /^! under the floor: /m);
  t.match(row(/negotiate false/), /\| +2 refused \| +- \|/);
  t.match(row(/vcpus 7/), /1 of 1 FAILED/);
  t.match(
    table,
    /^NOT AS EXPECTED:\n {2}destination-page 4K, link 1gbit, vcpus 7, repeat 1: expected completed, found failed: made up: too-<slow>&" \(too-<slow>&"\)$/m,
  );
  t.match(
    table,
    /^15 runs from 2026-11-25T08:00:00\.000Z to .*: Imagined CPU, 2 hardware threads, 16 GiB, virtual machine, .*; postcopy 0\.1\.0 \(abcdef0123\); load 0\.5 to 0\.5/,
  );
});

t.test('a run that was kept before a figure was there lacks it', async (t) => {
  const run = completedRun({ count: 1, stallNs: 1e6, floorNs: 1e5 });
  const { steps: _, inPiecesTotalNs: __, ...older } = run.destination!.collapses!;
  const kept = JSON.parse(JSON.stringify({ ...run, destination: { ...run.destination!, collapses: older } }));
  const { figures } = summariseCells([storedRun({}, 1, kept)])[0]!;
  t.strictSame([figures.inPieces, figures.inPiecesBetween], [null, null]);
  t.equal(figures.p50!.median, 1e6);
});

t.test('runs of two machines are told apart', async (t) => {
  const [first, ...rest] = sampleSweep();
  const moved = { ...first!, machine: { ...first!.machine, cpu: 'Another CPU' } };
  const origins = describeOrigins([moved, ...rest]);
  t.equal(origins.length, 2);
  t.match(origins[0], /^1 runs .* Another CPU/);
});

t.test('a link that was not carried is told, for its floors are too low', async (t) => {
  const run = completedRun({ count: 1, stallNs: 1e6, floorNs: 1e5 });
  const slow = storedRun({ link: '10gbit' }, 1, { ...run, source: { ...run.source!, link: SOURCE.link } });
  t.match(
    reportTable(summariseCells([slow])),
    /^LINK NOT CARRIED.*\n {2}link 10gbit: asked 10gbit, carried 8\.8 Gbit\/s in 1 of 1 runs$/m,
  );
  t.notMatch(reportTable(summaries), 'NOT CARRIED');
});

t.test('a guest that was not verified is no success', async (t) => {
  const run = completedRun({ count: 1, stallNs: 1e6, floorNs: 1e5 });
  const unproved = { ...run, destination: { ...run.destination!, guestVerified: false } };
  t.equal(
    summariseCells([storedRun({}, 1, run), storedRun({}, 2, unproved)])[0]!.verification,
    'not verified',
  );
  t.equal(summariseCells([storedRun({ verify: false }, 1, unproved)])[0]!.verification, 'not asked for');
});

t.test('the CSV: a row for each cell, as wide as its headings, quoted where it must be', async (t) => {
  const odd = storedRun(
    { guest: 'trace:a,"b".gz' },
    1,
    completedRun({ count: 2, stallNs: 3e6, floorNs: 1e6 }),
  );
  const lines = reportCsv(summariseCells([odd])).split('\r\n');
  t.equal(lines.length, 3);
  t.match(lines[1], ',"trace:a,""b"".gz",');
  const headings = lines[0]!.split(',');
  const fields = lines[1]!.replace('"trace:a,""b"".gz"', 'trace').split(',');
  t.equal(fields.length, headings.length);
  const column = (name: string) => fields[headings.indexOf(name)];
  t.equal(column('destination-page'), '4K');
  t.equal(column('p50_ns_median'), '3000000');
  t.equal(column('totalStall_ns_max'), '6000000');
  t.equal(column('stalls_from_2048us'), '2');
  t.equal(column('mean_hop_placeNs'), '1500000');
  t.equal(column('guest'), 'trace');
  const failed = reportCsv(summariseCells([storedRun({}, 1, failedRun('x'))])).split('\r\n');
  t.equal(failed[1]!.split(',').length, headings.length, 'a cell without figures has as many fields');
});

t.test('plots by page size: a line for each link, where there is more than one size', async (t) => {
  const panels = pagePanels(summaries);
  const lines = panels.flatMap(({ title, series }) =>
    series.map(({ label, points }) => [title, label, points.length]),
  );
  t.strictSame(lines, [
    ['push forward', 'link 1gbit', 2],
    ['push forward', 'link 10gbit', 2],
  ]);
  t.strictSame(pagePanels(summaries.filter(({ cell }) => cell['destination-page'] === '4K')), []);
});

t.test('strategies are compared where cells differ in nothing else', async (t) => {
  const groups = strategyGroups(summaries);
  t.equal(groups.length, 1);
  t.strictSame(
    groups[0]!.summaries.map(({ cell }) => cell.push),
    ['bubble', 'forward', 'none'],
  );
});

t.test('the page is whole, needs nothing from elsewhere, and escapes what it is given', async (t) => {
  const html = reportHtml(summaries, 'Cells & <more>');
  t.match(html, /^<!doctype html>\n<html lang="en">/);
  t.match(html, '<title>Cells &amp; &lt;more&gt;</title>');
  t.match(html, 'too-&lt;slow&gt;&amp;&quot;');
  t.notMatch(html, /<script|https?:|src=|url\(|@import|<link/);
  for (const title of [
    'Stall by page size',
    'Total stall and migration time',
    'Push strategies',
    'Latencies',
    'Pages over time',
    'Where the mean stall went',
    'All cells',
    'Not as expected',
  ]) {
    t.match(html, `>${title}</h2>`);
  }
  t.notMatch(html, /NaN|undefined|Infinity/);
  t.match(html, 'prefers-color-scheme:dark');
});

t.test('what stalls waited for is stacked, and only what they did wait for', async (t) => {
  const html = reportHtml(
    summariseCells([storedRun({}, 1, completedRun({ count: 2, stallNs: 3e6, floorNs: 1e6 }))]),
    'one cell',
  );
  t.match(html, /width:75\.00%" title="the rest of the page: 2\.25 ms, 75 %">75 %</);
  t.match(html, /width:25\.00%" title="the first 4 KiB of the page, on the wire: 750 us, 25 %">25 %</);
  t.notMatch(html, 'the vCPU, to be woken');
});

t.test('pages over time: the run of the median, stacked, with the switchover', async (t) => {
  const run = (totalNs: number, present: readonly number[]) => {
    const made = completedRun({ count: 1, stallNs: 1e6, floorNs: 1e5 });
    const { times } = made.destination!;
    const pagesOverTime = {
      totalPages: 100,
      elapsedNs: [0, 1e9],
      present,
      background: [0, 50],
      requested: [0, 25],
    };
    const destination = {
      ...made.destination!,
      pagesOverTime,
      times: { ...times, phases: { precopy: 5e8 } },
    };
    return { ...made, source: { ...made.source!, times: { ...times, totalNs } }, destination };
  };
  const runs = [run(3e9, [0, 75]), run(1e9, [0, 80]), run(2e9, [0, 100])];
  const stored = runs.map((one, index) => storedRun({}, index + 1, one));
  const [legend, grid, ...more] = timePlots([{ label: 'one', summary: summariseCells(stored)[0]! }]);
  t.match(legend!.markup, /before the switchover.*pushed.*requested/);
  t.strictSame(more, []);
  const areas = [...grid!.markup.matchAll(/ d="([^"]+)"/g)].map(([, d]) => d);
  t.strictSame(
    areas,
    [
      'M44.0 120.0L308.0 92.5L308.0 120.0L44.0 120.0Z',
      'M44.0 120.0L308.0 37.5L308.0 92.5L44.0 120.0Z',
      'M44.0 120.0L308.0 10.0L308.0 37.5L44.0 120.0Z',
    ],
    'of 2 s, which is the median: a quarter from precopy, half pushed, a quarter requested',
  );
  t.match(grid!.markup, 'x1="176"', 'the switchover is in the middle');
  const { pagesOverTime: _, ...older } = runs[0]!.destination;
  const summary = summariseCells([storedRun({}, 1, { ...runs[0]!, destination: older })])[0]!;
  t.strictSame(timePlots([{ label: 'older', summary }]), [], 'a run of before the series has none');
});

t.test('a page of failures only still tells them', async (t) => {
  const html = reportHtml(summariseCells([storedRun({}, 1, failedRun('too-slow'))]), 'x');
  t.match(html, 'made up: too-slow');
  t.notMatch(html, '<svg');
});

t.test('a comparison: ratios with spread, and what is on one side only', async (t) => {
  const after = summariseCells(sampleSweep(0.5).filter(({ cell }) => cell.push !== 'none'));
  const before = summaries.filter(({ cell }) => cell.push !== 'bubble');
  const comparison = compareResults(before, after);
  t.equal(comparison.cells.length, 6);
  t.strictSame(
    [comparison.onlyBefore, comparison.onlyAfter].map((only) => only.map(({ cell }) => cell.push)),
    [['none'], ['bubble']],
  );
  const [pair] = comparison.cells.filter(
    ({ before: { cell } }) => cell['destination-page'] === '2M' && cell.link === '1gbit' && cell.negotiate,
  );
  t.match(pair!.ratios.p50, { count: 4, median: 0.5 });
  t.ok(Math.abs(pair!.ratios.p50!.min - (0.5 * 1.1) / 1.2) < 1e-9);
  t.ok(Math.abs(pair!.ratios.p50!.max - (0.5 * 1.2) / 1.1) < 1e-9);
  t.equal(pair!.ratios.faults!.median, 1);
  const text = describeComparison(comparison, { before: 'old', after: 'new' });
  t.match(text, /destination-page 2M, link 1gbit +\| +2, 2 \| 0\.50 \(0\.46\.\.0\.55\) \|/);
  t.match(text, /all cells: median of the medians .* 0\.50 \(0\.50\.\.0\.50\) /);
  t.match(text, /^only in A old:\n {2}link 1gbit, push none$/m);
  t.match(text, /^only in B new:\n {2}link 1gbit, push bubble$/m);
});

t.test('sweeps that have no cell in common', async (t) => {
  const [one, ...others] = summaries;
  t.match(
    describeComparison(compareResults([one!], others), { before: 'a', after: 'b' }),
    'no cell is on both sides',
  );
});

t.test('a deviation', async (t) => {
  t.equal(formatDeviation(spreadOf([1])), '');
  t.equal(formatDeviation(spreadOf([90, 100, 130])), ' ±30 %');
  t.equal(formatDeviation(spreadOf([0, 0])), ' ±0 %');
});
