// Compares push strategies: groups of cells that differ in nothing else.
import type { AxisName } from '../axes.ts';
import { describeCell, varyingAxes } from '../cell-labels.ts';
import type { CellSummary } from '../cell-summary.ts';
import { formatSummary } from '../figure-text.ts';
import { FIGURES, type FigureName } from '../figures.ts';
import { element, type Markup } from './markup.ts';
import { rowPlot } from './row-plot.ts';

const COLUMNS: readonly FigureName[] = [
  'faults',
  'requests',
  'requestsFoundSent',
  'pushedTouched',
  'pushedUntouched',
  'p50',
  'p99',
  'floor',
  'totalStall',
  'totalFloor',
  'migration',
];

/** Cells that differ in their strategy only. */
export interface StrategyGroup {
  readonly title: string;
  readonly summaries: readonly CellSummary[];
}

/** An axis that only one strategy has. */
const OF_STRATEGY: readonly AxisName[] = ['push', 'push-after'];

/** The groups of at least two strategies. */
export function strategyGroups(summaries: readonly CellSummary[]): StrategyGroup[] {
  const measured = summaries.filter(({ completed }) => completed.length > 0);
  if (measured.length === 0) return [];
  const axes = varyingAxes(measured.map(({ cell }) => cell)).filter((name) => !OF_STRATEGY.includes(name));
  const groups = new Map<string, CellSummary[]>();
  for (const summary of measured) {
    const title = axes.length === 0 ? '' : describeCell(summary.cell, axes);
    groups.set(title, [...(groups.get(title) ?? []), summary]);
  }
  return [...groups]
    .map(([title, group]) => ({
      title: `${title === '' ? '' : `${title}; `}guest ${group[0]!.cell.guest}`,
      summaries: group,
    }))
    .filter((group) => new Set(group.summaries.map(({ cell }) => cell.push)).size > 1);
}

function table(summaries: readonly CellSummary[]): Markup {
  const heading = ['push', ...COLUMNS.map((name) => FIGURES[name].title)].map((text) =>
    element('th', { scope: 'col' }, text),
  );
  const rows = summaries.map((summary) =>
    element(
      'tr',
      {},
      element('th', { scope: 'row' }, String(summary.cell.push)),
      COLUMNS.map((name) => element('td', { class: 'number' }, formatSummary(summary, name))),
    ),
  );
  return element(
    'div',
    { class: 'scroll' },
    element('table', {}, element('thead', {}, element('tr', {}, heading)), element('tbody', {}, rows)),
  );
}

/** The comparisons; empty where no two cells differ in their strategy only. */
export function strategyPlots(summaries: readonly CellSummary[]): Markup[] {
  return strategyGroups(summaries).flatMap((group) => {
    const rows = group.summaries.map((summary) => ({ label: `push ${summary.cell.push}`, summary }));
    return [
      element('h3', {}, group.title),
      ...rowPlot(rows, `strategies, ${group.title}`),
      table(group.summaries),
    ];
  });
}
