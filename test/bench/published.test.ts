// The figures of others: each has one cell of the matrix, each cell a figure, and the table tells what it should.
import t from 'tap';
import type { Cell } from '../../bench/cells/axes.ts';
import { summariseCells } from '../../bench/cells/cell-summary.ts';
import { expandMatrix } from '../../bench/cells/expand.ts';
import { readMatrix } from '../../bench/cells/matrix.ts';
import { PUBLICATIONS } from '../../bench/published/published-figures.ts';
import { isLike, publishedTable } from '../../bench/published/published-table.ts';
import { temporaryDirectory } from '../e2e/command.ts';
import { repositoryUrl } from '../fixtures.ts';
import { runBench } from './bench-program.ts';
import { completedRun, storedRun } from './sample-runs.ts';

const cells = expandMatrix(readMatrix(repositoryUrl('bench/matrices/published.json').pathname));
const figures = PUBLICATIONS.flatMap((publication) => publication.figures);

t.test('each figure has one cell, and each cell a figure', async (t) => {
  const used = new Set<Cell>();
  for (const { what, cell, over } of figures) {
    for (const values of over === undefined ? [cell] : [cell, over]) {
      const found = cells.filter((one) => isLike(one, values));
      t.equal(found.length, 1, what);
      used.add(found[0]!);
    }
  }
  t.equal(used.size, cells.length);
});

t.test('the table', async (t) => {
  const find = (values: Partial<Cell>) => cells.find((cell) => isLike(cell, values))!;
  const whole = find({ 'destination-page': '1G', 'placement-page': 'host', vcpus: 8 });
  const two = find({ 'destination-page': '1G', channels: 2, 'break-huge': true, vcpus: 2 });
  const pieces = find({ 'placement-page': '4K', 'destination-page': '1G' });
  const bubble = find({ push: 'bubble' });
  const bubbled = completedRun({ count: 10, stallNs: 2e5, floorNs: 1e5 });
  const push = { ...bubbled.destination!.push!, faultedHostPages: 10, pushedTouched: 190 };
  const table = publishedTable(
    summariseCells([
      storedRun(whole, 1, completedRun({ count: 6, stallNs: 8e8, floorNs: 8.61e8 })),
      storedRun(whole, 2, completedRun({ count: 6, stallNs: 7e8, floorNs: 8.61e8 })),
      storedRun(two, 1, completedRun({ count: 6, stallNs: 8e8, floorNs: 8.61e8 })),
      storedRun(two, 2, completedRun({ count: 6, stallNs: 7e8, floorNs: 8.61e8 })),
      storedRun(pieces, 1, completedRun({ count: 500, stallNs: 2e6, floorNs: 1e5 })),
      storedRun(bubble, 1, { ...bubbled, destination: { ...bubbled.destination!, push } }),
    ]),
  );
  const row = (start: string) => table.split('\n').find((line) => line.split('|')[1]?.trim() === start);
  t.match(row('1G, preempt'), /\| +649 ms \| +750 ms! ±7 % \| +861 ms ±0 % \| +1\.2 \|$/);
  t.match(
    row('total stall, whole pages / pieces of 4K'),
    /\| +7\.1 times \| +4\.5 \(4\.2\.\.4\.8\) \| +- \| +0\.64 \|$/,
  );
  t.match(row('with bubbling'), /\| +2 to 4 % \| +5\.00 % \| +- \| +1\.3 \|$/);
  t.match(row('4K, vanilla'), /\| +10\.7 ms \| +not run \|/);
  t.match(table, /^- 1G, preempt: .*under the floor of 859 ms.*\.$/m);
  const within = { ...push, pushedTouched: 490 };
  const other = { ...bubbled, destination: { ...bubbled.destination!, push: within } };
  t.match(publishedTable(summariseCells([storedRun(bubble, 1, other)])), /with bubbling .* within \|$/m);
});

t.test('a directory without results is told', async (t) => {
  const { exitCode, stderr } = await runBench('published', temporaryDirectory(t));
  t.equal(exitCode, 2);
  t.match(stderr, /expected results of bench run, found none/);
});
