// Plans and sweeps with a runner of the test's own: shards, resuming, failures, cancelling, memory, and what is shown.
import { readdirSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import t from 'tap';
import type { Cell } from '../../bench/cells/axes.ts';
import { neededBytes, tooLargeCells } from '../../bench/cells/memory-need.ts';
import { type PlannedRun, parseShard, planRuns } from '../../bench/cells/plan.ts';
import { ResultStore } from '../../bench/cells/result-store.ts';
import type { CellRun, StoredRun } from '../../bench/cells/stored-run.ts';
import { type SweepOptions, sweep } from '../../bench/cells/sweep.ts';
import { formatWait, SweepProgress, TimeLeft } from '../../bench/cells/sweep-progress.ts';
import { temporaryDirectory } from '../e2e/command.ts';
import { cellWith, completedRun, failedRun, MACHINE, storedRun } from './sample-runs.ts';

const GOOD = completedRun({ count: 3, stallNs: 1e6, floorNs: 1e5 });
const FACTS = { machine: MACHINE, build: { version: '0.1.0', commit: null } };

function cellsOf(count: number): Cell[] {
  return Array.from({ length: count }, (_, seed) => cellWith({ seed }));
}

/** A sweep whose cells do what `outcome` says; gives the seeds that ran. */
async function run(
  store: ResultStore,
  plan: readonly PlannedRun[],
  outcome: (seed: number) => CellRun,
  more: Partial<SweepOptions> = {},
) {
  const ran: number[] = [];
  const kept: number[] = [];
  const tally = await sweep({
    plan,
    store,
    isFresh: false,
    facts: () => FACTS,
    events: { onPlanned: (planned) => kept.push(planned.kept.length), onStart: () => {}, onEnd: () => {} },
    run: async (cell) => {
      ran.push(Number(cell.seed));
      return outcome(Number(cell.seed));
    },
    ...more,
  });
  return { ran, kept: kept[0], tally };
}

t.test('every cell runs once before any runs again', async (t) => {
  const plan = planRuns(cellsOf(3), 2);
  t.strictSame(
    plan.map(({ cell, repeat }) => [cell.seed, repeat]),
    [
      [0, 1],
      [1, 1],
      [2, 1],
      [0, 2],
      [1, 2],
      [2, 2],
    ],
  );
});

t.test('shards are disjoint and complete, and keep the repeats of a cell together', async (t) => {
  const small = fc.integer({ min: 1, max: 20 });
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(small, small, fc.integer({ min: 1, max: 4 }), (cellCount, count, repeats) => {
        const cells = cellsOf(cellCount);
        const shards = Array.from({ length: count }, (_, i) =>
          planRuns(cells, repeats, { index: i + 1, count }),
        );
        const keys = shards.flat().map(({ key }) => key);
        const whole = planRuns(cells, repeats).map(({ key }) => key);
        const isTogether = shards.every((shard) =>
          shard.every(({ cell }) => shard.filter((other) => other.cell === cell).length === repeats),
        );
        return isTogether && keys.length === whole.length && whole.every((key) => keys.includes(key));
      }),
      { seed: 6 },
    ),
  );
});

t.test('what is no shard', async (t) => {
  t.strictSame(parseShard('2/4'), { index: 2, count: 4 });
  for (const text of ['0/4', '5/4', '1', '1/0', '1/2/3', 'a/b', '-1/2', '']) {
    t.throws(() => parseShard(text), { name: 'MatrixError', message: /^--shard: expected I\/N/ }, text);
  }
});

t.test('a sweep that was cut off goes on where it was', async (t) => {
  const store = new ResultStore(temporaryDirectory(t));
  const plan = planRuns(cellsOf(4), 1);
  const cut = (seed: number): CellRun => {
    if (seed === 2) throw new Error('cancelled');
    return GOOD;
  };
  await t.rejects(run(store, plan, cut), { message: 'cancelled' });
  t.equal(store.load().length, 2);
  const second = await run(store, plan, () => GOOD);
  t.strictSame(second.ran, [2, 3]);
  t.equal(second.kept, 2);
  t.strictSame(second.tally, { ran: 2, kept: 2, unexpected: [] });
  t.strictSame((await run(store, plan, () => GOOD)).ran, []);
  t.strictSame((await run(store, plan, () => GOOD, { isFresh: true })).ran, [0, 1, 2, 3]);
  t.strictSame((await run(store, planRuns(cellsOf(4), 2), () => GOOD)).ran, [0, 1, 2, 3], 'one more repeat');
});

t.test('a cell that fails is kept as failed, stops nothing, and is tried again', async (t) => {
  const store = new ResultStore(temporaryDirectory(t));
  const plan = planRuns(cellsOf(3), 1);
  const first = await run(store, plan, (seed) => (seed === 1 ? failedRun('too-slow') : GOOD));
  t.strictSame(first.ran, [0, 1, 2]);
  t.match(first.tally.unexpected, [{ cell: { seed: 1 }, outcome: 'failed', error: { code: 'too-slow' } }]);
  const kept = store.load().find(({ cell }) => cell.seed === 1);
  t.match(kept, { outcome: 'failed', error: { code: 'too-slow' }, machine: MACHINE, source: null });
  t.strictSame((await run(store, plan, () => GOOD)).ran, [1]);
});

t.test('a refusal is as expected where it is, and only there', async (t) => {
  const store = new ResultStore(temporaryDirectory(t));
  const cells = [cellWith({ seed: 0, expect: 'refused' }), cellWith({ seed: 1 })];
  const { tally } = await run(store, planRuns(cells, 1), () => failedRun('page-sizes-differ', 'refused'));
  t.strictSame(
    tally.unexpected.map(({ cell }) => cell.seed),
    [1],
  );
});

t.test('half a file is no result, and one that cannot be read is named', async (t) => {
  const directory = temporaryDirectory(t);
  const store = new ResultStore(directory);
  const sample = storedRun({ seed: 5 }, 1, GOOD);
  writeFileSync(`${directory}/${sample.key}.json.99.partial`, '{"format":');
  t.strictSame(store.load(), []);
  store.save(sample);
  t.strictSame(store.load(), [sample]);
  t.equal(readdirSync(directory).filter((name) => name.endsWith('.json')).length, 1);
  writeFileSync(`${directory}/${sample.key}.json`, '{"format":7}');
  t.throws(() => store.load(), {
    name: 'MatrixError',
    message: /\.json: expected a run of format 1, found 7$/,
  });
  t.throws(() => new ResultStore(`${directory}/none`).load(), { message: /none: ENOENT/ });
});

t.test('memory: both ends, and the guest once more where it is proved', async (t) => {
  const large = cellWith({ ram: '16G' });
  const small = cellWith({ ram: '64M' });
  t.equal(neededBytes(large), 3 * (2 ** 34 + 200 * 2 ** 20));
  t.equal(neededBytes({ ...small, verify: false }), 2 * 264 * 2 ** 20);
  t.strictSame(tooLargeCells([small, large], 2 ** 34), [large]);
  t.strictSame(tooLargeCells([small, large], 2 ** 36), []);
});

/** Shows a sweep of three cells, the second of which fails. */
function shown(isTerminal: boolean): string[] {
  const written: string[] = [];
  const progress = new SweepProgress({
    stream: { write: (text) => written.push(text), columns: 120 },
    isTerminal,
  });
  const plan = planRuns(cellsOf(3), 1);
  const runs: StoredRun[] = plan.map(({ cell }) =>
    storedRun(cell, 1, cell.seed === 1 ? failedRun('too-slow') : GOOD),
  );
  progress.onPlanned({ runs: plan, kept: [runs[0]!] });
  progress.onStart(plan[1]!, 1);
  progress.onEnd(runs[1]!, 2);
  progress.onStart(plan[2]!, 2);
  progress.onEnd(runs[2]!, 3);
  progress.clear();
  return written;
}

const FAILED_LINE =
  'bench: 2 of 3 seed 1, repeat 1: NOT completed BUT failed (too-slow): made up: too-slow in 2.00 s; about 2 s left\n';
const CLEAR = '\r\x1b[2K';

t.test('in a pipe: a plain line for each run, with the time left', async (t) => {
  t.strictSame(shown(false), [
    'bench: 1 of 3 runs are kept from before\n',
    FAILED_LINE,
    'bench: 3 of 3 seed 2, repeat 1: completed in 2.00 s\n',
  ]);
});

t.test('on a terminal: a bar, and lines only for what must not be missed', async (t) => {
  t.strictSame(shown(true), [
    'bench: 1 of 3 runs are kept from before\n',
    `${CLEAR}bench: [${'#'.repeat(8)}${'-'.repeat(16)}] 1 of 3, about 4 s left: seed 1, repeat 1`,
    CLEAR,
    FAILED_LINE,
    `${CLEAR}bench: [${'#'.repeat(16)}${'-'.repeat(8)}] 2 of 3, about 2 s left: seed 2, repeat 1`,
    CLEAR,
  ]);
});

t.test('time left: what a cell took before, else the mean of the others', async (t) => {
  const timeLeft = new TimeLeft();
  const plan = planRuns(cellsOf(3), 1);
  t.equal(timeLeft.guessMs(plan), undefined);
  timeLeft.learn({ ...storedRun({ seed: 0 }, 1, GOOD), elapsedMs: 1000 });
  timeLeft.learn({ ...storedRun({ seed: 1 }, 1, GOOD), elapsedMs: 5000 });
  t.equal(timeLeft.guessMs(plan), 1000 + 5000 + 3000);
  t.strictSame([900, 99_000, 100_000, 6e6, 3.9e6 * 2].map(formatWait), [
    '1 s',
    '99 s',
    '2 min',
    '1 h 40 min',
    '2 h 10 min',
  ]);
});
