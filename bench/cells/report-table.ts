// The results of cells as a table for a terminal, or for a document.
import { formatTable } from '../table.ts';
import { columnAxes, labelCells } from './cell-labels.ts';
import type { CellSummary } from './cell-summary.ts';
import { formatSummary, UNDER_FLOOR_MARK } from './figure-text.ts';
import { FIGURES, type FigureName } from './figures.ts';
import { describeCommon, describeFailures, describeMissedLinks, describeOrigins } from './report-notes.ts';

/** Every stall stands beside its floor. */
const COLUMNS: readonly FigureName[] = [
  'p50',
  'p99',
  'floor',
  'faults',
  'totalStall',
  'totalFloor',
  'migration',
];

/** How many runs there are of a cell, and what came of those that did not complete. */
export function formatRuns({ cell, runs, completed, unexpected }: CellSummary): string {
  if (unexpected.length > 0) return `${unexpected.length} of ${runs.length} FAILED`;
  return cell.expect === 'refused' ? `${runs.length} refused` : String(completed.length);
}

/** The table, with what one needs to know to read it. */
export function reportTable(summaries: readonly CellSummary[]): string {
  const cells = summaries.map(({ cell }) => cell);
  const axes = columnAxes(cells);
  const label = labelCells(cells);
  const heading = [axes[0] ?? 'cell', ...axes.slice(1)];
  const rows = summaries.map((summary) => [
    ...(axes.length === 0 ? [label(summary.cell)] : axes.map((name) => String(summary.cell[name]))),
    formatRuns(summary),
    ...COLUMNS.map((name) => formatSummary(summary, name)),
    summary.verification,
  ]);
  const isMarked = rows.some((row) => row.some((text) => text.includes(UNDER_FLOOR_MARK)));
  const failures = describeFailures(summaries);
  const missed = describeMissedLinks(summaries);
  return [
    ...describeOrigins(summaries.flatMap(({ runs }) => runs)),
    `all cells: ${describeCommon(summaries)}`,
    '',
    formatTable([...heading, 'runs', ...COLUMNS.map((name) => FIGURES[name].title), 'guest'], rows),
    '',
    'Median over the runs; ± is the farthest run from it. floor: what the wire alone needs.',
    ...(isMarked
      ? [
          `${UNDER_FLOOR_MARK} under the floor: the page was under way before its fault, or the floor is of a slower link`,
        ]
      : []),
    ...(missed.length === 0
      ? []
      : ['', 'LINK NOT CARRIED, so these floors are too low:', ...missed.map((line) => `  ${line}`)]),
    ...(failures.length === 0 ? [] : ['', 'NOT AS EXPECTED:', ...failures.map((line) => `  ${line}`)]),
  ].join('\n');
}
