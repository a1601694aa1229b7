// Small sweeps of real migrations by the program itself: run, resume, report, compare, a failure, Ctrl-C, usage.
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setInterval } from 'node:timers/promises';
import t from 'tap';
import { ResultStore } from '../../bench/cells/result-store.ts';
import { temporaryDirectory } from '../e2e/command.ts';
import { runBench, startBench, writeMatrix } from './bench-program.ts';

const SMALL = { ram: '8M', rate: 2000, 'warm-up': 20 };

t.test('two cells, twice: the second time nothing is left to do', async (t) => {
  const directory = temporaryDirectory(t);
  const results = `${directory}/results`;
  const path = writeMatrix(directory, {
    title: 'small',
    repeats: 1,
    fixed: { ...SMALL, link: '500mbit', channels: 2 },
    axes: { 'destination-page': ['4K', '2M'] },
  });
  const first = await runBench('run', path, '--out', results);
  t.equal(first.exitCode, 0, first.stderr);
  t.match(first.stdout, /^small: 2 runs, 0 kept from before, 0 not as expected; in /);
  t.match(first.stderr, /^bench: 2 of 2 destination-page 2M, repeat 1: completed in /m);
  const runs = new ResultStore(results).load();
  t.equal(runs.length, 2);
  for (const { cell, key, source, destination, usage, machine, build } of runs) {
    t.ok(existsSync(`${results}/${key}.json`));
    t.match(
      [source?.status, destination?.status, destination?.guestVerified],
      ['completed', 'completed', true],
    );
    const pageBytes = destination!.stalls!.perBlock.map((block) => block.pageBytes);
    t.strictSame(
      pageBytes,
      [cell['destination-page'] === '4K' ? 4096 : 2 ** 21],
      'only stalls of the one page size',
    );
    t.equal(source!.link!.forward.bytesPerSecond, 500e6 / 8);
    const { totalPages, elapsedNs, present, background, requested } = destination!.pagesOverTime!;
    t.equal(totalPages, 2048);
    t.ok(elapsedNs.length > 2 && present[0]! < totalPages, 'from when pages were missing');
    t.strictSame(
      elapsedNs.toSorted((a, b) => a - b),
      elapsedNs,
    );
    t.equal(present.at(-1), totalPages, 'to when all were present');
    t.equal(background.at(-1)! + requested.at(-1)!, totalPages, 'all of them in postcopy');
    t.ok(usage.source!.cpuSeconds > 0 && machine.coreCount > 0 && build.version !== '');
  }
  const second = await runBench('run', path, '--out', results);
  t.match(second.stdout, /^small: 0 runs, 2 kept from before, 0 not as expected; in /);

  const csv = `${directory}/cells.csv`;
  const report = await runBench('report', results, '--matrix', path, '--csv', csv);
  t.equal(report.exitCode, 0, report.stderr);
  t.match(report.stdout, /^\| 2M .* verified \|$/m);
  t.equal(readFileSync(csv, 'utf8').split('\r\n').length, 4);
  t.match(readFileSync(`${results}/report.html`, 'utf8'), '<title>small</title>');

  const unwritable = await runBench('report', results, '--html', `${directory}/none/x.html`);
  t.match([unwritable.exitCode, unwritable.stderr], [2, /^bench: ENOENT.*none\/x\.html/m]);

  const compared = await runBench('compare', results, results);
  t.equal(compared.exitCode, 0, compared.stderr);
  t.match(compared.stdout, /^\| destination-page 2M +\| +1, 1 \| 1\.00 \(1\.00\.\.1\.00\) \|/m);
});

t.test('a refusal that is expected, a failure that stops nothing, and recorded faults', async (t) => {
  const directory = temporaryDirectory(t);
  const results = `${directory}/results`;
  const path = writeMatrix(directory, {
    repeats: 1,
    fixed: SMALL,
    add: [
      { 'destination-page': '2M', negotiate: false, 'postcopy-after': 1, expect: 'refused' },
      { guest: 'trace:examples/traces/none.gz' },
      { push: 'recorded' },
    ],
  });
  const { exitCode, stdout, stderr } = await runBench('run', path, '--out', results);
  t.equal(exitCode, 1, stderr);
  t.match(stdout, '3 runs, 0 kept from before, 1 not as expected');
  const runs = new ResultStore(results).load();
  const of = (match: (push: string, guest: string, negotiate: unknown) => boolean) =>
    runs.find(({ cell }) => match(String(cell.push), String(cell.guest), cell.negotiate));
  t.match(
    of((_push, _guest, negotiate) => negotiate === false),
    { outcome: 'refused', error: { code: 'page-sizes-differ' } },
  );
  t.match(
    of((_push, guest) => guest.startsWith('trace:')),
    {
      outcome: 'failed',
      error: { code: 'no-result', message: /the source ended with 2 and no result: .*none\.gz/ },
      source: null,
    },
  );
  t.match(
    of((push) => push === 'recorded'),
    { outcome: 'completed', source: { push: { strategy: 'recorded' } } },
  );
});

/** Processes whose parent is the given one, by /proc. */
function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        return new RegExp(`^PPid:\\s+${pid}$`, 'm').test(readFileSync(`/proc/${name}/status`, 'utf8'));
      } catch {
        return false; // it has just ended
      }
    })
    .map(Number);
}

/** Waits until a second cell runs, both ends of it. @throws Error if that takes too long */
async function bothEnds(pid: number, isSecond: () => boolean): Promise<number[]> {
  const startMs = performance.now();
  for await (const _ of setInterval(20)) {
    const children = childrenOf(pid);
    if (children.length === 2 && isSecond()) return children;
    if (performance.now() - startMs > 60_000) break;
  }
  throw new Error(`expected two ends of a second cell, found ${childrenOf(pid).length}`);
}

function runs(pid: number): boolean {
  try {
    readlinkSync(`/proc/${pid}/exe`);
    return true;
  } catch {
    return false;
  }
}

t.test('Ctrl-C ends the pair, keeps what is done, and the same command goes on', async (t) => {
  const directory = temporaryDirectory(t);
  const results = `${directory}/results`;
  // The second cell would take half a minute.
  const path = writeMatrix(directory, {
    repeats: 1,
    fixed: SMALL,
    add: [{ seed: 1 }, { seed: 2, link: '2mbit' }],
  });
  const { process: bench, ended } = startBench(['run', path, '--out', results]);
  const children = await bothEnds(
    bench.pid!,
    () => existsSync(results) && new ResultStore(results).load().length === 1,
  );
  bench.kill('SIGINT');
  const { exitCode } = await ended;
  t.equal(exitCode, 3);
  t.strictSame(children.filter(runs), [], 'both ends have ended');
  t.equal(new ResultStore(results).load().length, 1);
});

t.test('what cannot be run is said before anything is', async (t) => {
  const directory = temporaryDirectory(t);
  const results = `${directory}/results`;
  const path = writeMatrix(directory, { fixed: { ram: '1024G' }, add: [{ seed: 1 }] });
  const tooLarge = await runBench('run', path, '--out', results);
  t.equal(tooLarge.exitCode, 2);
  t.match(
    tooLarge.stderr,
    /^bench: 1 of 1 cells need up to 3\.00 TiB of memory, and .* are available; --skip-too-large leaves them out$/m,
  );
  t.match(
    (await runBench('run', path, '--out', results, '--skip-too-large')).stderr,
    /^bench: no cell is left$/m,
  );
  const listed = await runBench('run', path, '--list');
  t.strictSame([listed.exitCode, listed.stdout], [0, 'ram 1T\n']);
  const shard = await runBench('run', path, '--shard', '3/2');
  t.match([shard.exitCode, shard.stderr], [2, /^bench: --shard: expected I\/N/]);
  const none = await runBench('run');
  t.match([none.exitCode, none.stderr], [2, /^bench: expected one MATRIX\.json, found 0$/m]);
  const empty = await runBench('report', directory);
  t.match([empty.exitCode, empty.stderr], [2, /: expected results of bench run, found none$/m]);
  const unknown = await runBench('report', '--pdf', 'x');
  t.match([unknown.exitCode, unknown.stderr], [2, /--pdf/]);
  t.notOk(existsSync(results), 'nothing was kept');
});

t.test('help', async (t) => {
  for (const command of ['run', 'report', 'compare']) {
    const { exitCode, stdout } = await runBench(command, '--help');
    t.equal(exitCode, 0);
    t.match(stdout, `Usage: npm run bench -- ${command} `);
  }
  const all = await runBench('--help');
  t.match(all.stdout, /^ {2}compare {3}Compares/m);
  t.match(all.stdout, /^usage: npm run bench -- \[--only/m);
});
