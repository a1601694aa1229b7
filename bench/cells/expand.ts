// Expands a matrix to its cells.
import { AXIS_NAMES, type AxisName, type Cell, DEFAULT_CELL } from './axes.ts';
import { cellFault } from './cell-checks.ts';
import { cellKey } from './cell-key.ts';
import { describeCell } from './cell-labels.ts';
import type { Combinations, Matrix } from './matrix.ts';
import { MatrixError } from './matrix-error.ts';

/** More are a mistake: at two seconds each they would take six hours. */
const MOST_CELLS = 10_000;

/** All combinations, on top of a cell; the last axis varies fastest. */
function product(base: Cell, combinations: Combinations): Cell[] {
  let cells: Cell[] = [base];
  for (const axis of AXIS_NAMES) {
    const values = combinations[axis];
    if (values === undefined) continue;
    if (cells.length * values.length > MOST_CELLS) {
      throw new MatrixError(`expected at most ${MOST_CELLS} cells, found more`);
    }
    cells = cells.flatMap((cell) => values.map((value) => ({ ...cell, [axis]: value })));
  }
  return cells;
}

function matches(cell: Cell, combinations: Combinations): boolean {
  return Object.entries(combinations).every(([axis, values]) => values.includes(cell[axis as AxisName]));
}

/**
 * The cells of a matrix, in order: all combinations of its axes that are not excluded, then what is added. Without axes
 * there are only those that are added.
 *
 * @throws MatrixError if there are none, one stands there twice or cannot be, or an exclusion excludes nothing
 */
export function expandMatrix(matrix: Matrix): Cell[] {
  const { name } = matrix;
  const base = product(DEFAULT_CELL, matrix.fixed)[0]!;
  const all = Object.keys(matrix.axes).length === 0 ? [] : product(base, matrix.axes);
  for (const [index, row] of matrix.exclude.entries()) {
    if (!all.some((cell) => matches(cell, row))) {
      throw new MatrixError(`${name}: exclude[${index}] excludes nothing: no combination of axes is like it`);
    }
  }
  const cells = all.filter((cell) => !matrix.exclude.some((row) => matches(cell, row)));
  for (const row of matrix.add) cells.push(...product(base, row));
  if (cells.length === 0) throw new MatrixError(`${name}: expected cells, found that all are excluded`);
  const seen = new Set<string>();
  for (const cell of cells) {
    const fault = cellFault(cell);
    if (fault !== undefined) throw new MatrixError(`${name}: cell ${describeCell(cell)}: ${fault}`);
    const key = cellKey(cell);
    if (seen.has(key)) throw new MatrixError(`${name}: cell ${describeCell(cell)} stands there twice`);
    seen.add(key);
  }
  return cells;
}
