// What a cell is called among others: by the axes on which they differ.
import { AXES, AXIS_NAMES, type AxisName, type Cell, differing } from './axes.ts';

/** Where cells differ on more axes, most of these mean nothing to most of the cells. */
const MOST_NAMED = 4;
/** Named even where it is the default: it is what most cells are about. */
const ALWAYS_NAMED: AxisName = 'destination-page';

/** The axes on which cells differ, in order; what is expected of them is no part of what they are. */
export function varyingAxes(cells: readonly Cell[]): AxisName[] {
  return AXIS_NAMES.filter(
    (name) => name !== 'expect' && cells.some((cell) => cell[name] !== cells[0]![name]),
  );
}

/** A cell in words: its values on the given axes, or where it differs from the defaults. */
export function describeCell(cell: Cell, axes: readonly AxisName[] = differing(cell)): string {
  if (axes.length === 0) return 'all defaults';
  return axes.map((name) => `${name} ${cell[name]}`).join(', ');
}

/** The axes that are columns of a table of cells; none where they are too many, and a label has to do. */
export function columnAxes(cells: readonly Cell[]): AxisName[] {
  const axes = varyingAxes(cells);
  return axes.length > MOST_NAMED ? [] : axes;
}

/** Names for cells. Of a single one, and of cells that differ on many axes, what is not named is the default. */
export function labelCells(cells: readonly Cell[]): (cell: Cell) => string {
  const axes = varyingAxes(cells);
  if (axes.length === 0) return (cell) => describeCell(cell);
  if (axes.length <= MOST_NAMED) return (cell) => describeCell(cell, axes);
  const isNamed = (cell: Cell, name: AxisName) => name === ALWAYS_NAMED || cell[name] !== AXES[name].default;
  return (cell) =>
    describeCell(
      cell,
      axes.filter((name) => isNamed(cell, name)),
    );
}
