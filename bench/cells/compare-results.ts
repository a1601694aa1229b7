// Compares two sets of results cell by cell: ratios of their figures.
import { formatSpread, type Spread, spreadOf } from '../spread.ts';
import { formatTable } from '../table.ts';
import { describeCell, labelCells } from './cell-labels.ts';
import type { CellSummary } from './cell-summary.ts';
import { FIGURES, type FigureName } from './figures.ts';
import { describeOrigins } from './report-notes.ts';

const COLUMNS: readonly FigureName[] = ['p50', 'p99', 'totalStall', 'faults', 'migration'];

/** One cell on both sides. */
export interface CellRatios {
  readonly before: CellSummary;
  readonly after: CellSummary;
  /** After over before; `null` where a side has no figure, or a zero before. */
  readonly ratios: Readonly<Partial<Record<FigureName, Spread | null>>>;
}

/** Two sets compared. */
export interface Comparison {
  readonly cells: readonly CellRatios[];
  readonly onlyBefore: readonly CellSummary[];
  readonly onlyAfter: readonly CellSummary[];
}

/** Every run of one side over every run of the other: repeats of two sweeps are no pairs. */
function ratioOf(name: FigureName, before: CellSummary, after: CellSummary): Spread | null {
  const valuesOf = ({ completed }: CellSummary) =>
    completed.map(FIGURES[name].of).filter((value) => value !== null);
  const ratios = valuesOf(after).flatMap((to) =>
    valuesOf(before)
      .filter((from) => from > 0)
      .map((from) => to / from),
  );
  return ratios.length === 0 ? null : spreadOf(ratios);
}

/** Compares. */
export function compareResults(before: readonly CellSummary[], after: readonly CellSummary[]): Comparison {
  const [beforeByKey, afterByKey] = [before, after].map(
    (summaries) => new Map(summaries.map((summary) => [summary.key, summary])),
  ) as [Map<string, CellSummary>, Map<string, CellSummary>];
  return {
    cells: before.flatMap((from) => {
      const to = afterByKey.get(from.key);
      if (to === undefined) return [];
      const ratios = Object.fromEntries(COLUMNS.map((name) => [name, ratioOf(name, from, to)]));
      return [{ before: from, after: to, ratios }];
    }),
    onlyBefore: before.filter(({ key }) => !afterByKey.has(key)),
    onlyAfter: after.filter(({ key }) => !beforeByKey.has(key)),
  };
}

function describeMissing(title: string, summaries: readonly CellSummary[]): string[] {
  if (summaries.length === 0) return [];
  return ['', `${title}:`, ...summaries.map(({ cell }) => `  ${describeCell(cell)}`)];
}

/** The comparison as text; A and B are the names of the two sides. */
export function describeComparison(comparison: Comparison, names: { before: string; after: string }): string {
  const { cells, onlyBefore, onlyAfter } = comparison;
  const label = labelCells(cells.map(({ before }) => before.cell));
  const runsOf = (side: 'before' | 'after') => cells.flatMap((pair) => pair[side].runs);
  const ratioText = (ratio: Spread | null | undefined) =>
    ratio === null || ratio === undefined ? '-' : formatSpread(ratio, 2);
  const rows = cells.map(({ before, after, ratios }) => [
    label(before.cell),
    `${before.completed.length}, ${after.completed.length}`,
    ...COLUMNS.map((name) => ratioText(ratios[name])),
  ]);
  const overall = COLUMNS.map((name) => {
    const medians = cells.map(({ ratios }) => ratios[name]?.median).filter((value) => value !== undefined);
    return ratioText(medians.length === 0 ? null : spreadOf(medians));
  });
  const side = (title: string, name: string, runs: 'before' | 'after') =>
    describeOrigins(runsOf(runs)).map((line) => `${title} ${name}: ${line}`);
  return [
    ...side('A', names.before, 'before'),
    ...side('B', names.after, 'after'),
    '',
    ...(cells.length === 0
      ? ['no cell is on both sides']
      : [
          formatTable(
            ['B / A', 'runs of A, B', ...COLUMNS.map((name) => FIGURES[name].title)],
            [...rows, ['all cells: median of the medians', '', ...overall]],
          ),
          '',
          'Median (min..max) over every run of B by every run of A; below 1 B is less.',
        ]),
    ...describeMissing(`only in A ${names.before}`, onlyBefore),
    ...describeMissing(`only in B ${names.after}`, onlyAfter),
  ].join('\n');
}
