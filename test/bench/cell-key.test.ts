// The hash of a cell: the same for the same cell however it is written, another for any other.
import { writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { AXIS_NAMES, type Cell, DEFAULT_CELL } from '../../bench/cells/axes.ts';
import { cellKey, runKey } from '../../bench/cells/cell-key.ts';
import { temporaryDirectory } from '../e2e/command.ts';
import { repositoryUrl } from '../fixtures.ts';
import { cellWith } from './sample-runs.ts';

const cell = cellWith({ 'destination-page': '2M', link: '10gbit', vcpus: 4 });

t.test('the order of keys does not matter', async (t) => {
  const orders = fc.shuffledSubarray([...AXIS_NAMES], { minLength: AXIS_NAMES.length });
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(orders, (names) => {
        const shuffled = Object.fromEntries(names.map((name) => [name, cell[name]])) as Cell;
        return cellKey(shuffled) === cellKey(cell);
      }),
      { seed: 4 },
    ),
  );
});

t.test('it is the same from run to run and from version to version', async (t) => {
  t.equal(cellKey(DEFAULT_CELL), 'bb5bb1b3a77487eecdeb0af136abad36');
  t.equal(runKey(cell, 2), 'fb6508c6075d84b17b4a53be26418df2');
});

t.test('an axis that older results do not know leaves them valid', async (t) => {
  const { 'collapse-cost': _, ...older } = cell;
  t.equal(cellKey({ ...DEFAULT_CELL, ...older }), cellKey(cell));
});

t.test('another value, another repeat, another hash', async (t) => {
  const others: Partial<Cell>[] = [{ vcpus: 5 }, { link: '1gbit' }, { seed: 2 }, { verify: false }];
  const keys = others.map((values) => cellKey({ ...cell, ...values }));
  t.equal(new Set([...keys, cellKey(cell), runKey(cell, 1), runKey(cell, 2)]).size, others.length + 3);
});

t.test('another trace under the same name is another cell', async (t) => {
  const path = `${temporaryDirectory(t)}/a.trace`;
  const traced = cellWith({ guest: `trace:${relative(repositoryUrl('').pathname, path)}` });
  const keys = ['one', 'two', 'one'].map((content) => {
    writeFileSync(path, content);
    return cellKey(traced);
  });
  t.equal(keys[0], keys[2]);
  t.not(keys[0], keys[1]);
});
