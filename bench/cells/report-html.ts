// The results of cells as one page that needs nothing else: no network, no script.
import { columnAxes, labelCells } from './cell-labels.ts';
import type { CellSummary } from './cell-summary.ts';
import { formatSummary } from './figure-text.ts';
import { FIGURES, type FigureName } from './figures.ts';
import { causePlot } from './html/cause-plot.ts';
import { histogramPlots } from './html/histogram-plot.ts';
import { type Content, element, type Markup, stylesheet } from './html/markup.ts';
import { pagePlots } from './html/page-plot.ts';
import { rowPlot } from './html/row-plot.ts';
import { strategyPlots } from './html/strategy-section.ts';
import { STYLE } from './html/style.ts';
import { timePlots } from './html/time-plot.ts';
import { describeCommon, describeFailures, describeMissedLinks, describeOrigins } from './report-notes.ts';
import { formatRuns } from './report-table.ts';

const COLUMNS: readonly FigureName[] = [
  'p50',
  'p99',
  'max',
  'floor',
  'faults',
  'underFloor',
  'totalStall',
  'totalFloor',
  'blocktime',
  'migration',
  'downtime',
];

function section(title: string, explanation: string, content: readonly Markup[]): Markup[] {
  if (content.length === 0) return [];
  return [
    element('section', {}, element('h2', {}, title), element('p', { class: 'soft' }, explanation), content),
  ];
}

function cellTable(summaries: readonly CellSummary[]): Markup {
  const cells = summaries.map(({ cell }) => cell);
  const axes = columnAxes(cells);
  const label = labelCells(cells);
  const headings = [
    ...(axes.length === 0 ? ['cell'] : axes),
    'runs',
    ...COLUMNS.map((name) => FIGURES[name].title),
    'guest',
  ];
  const rows = summaries.map((summary) => {
    const isBad = summary.unexpected.length > 0 || summary.verification === 'not verified';
    return element(
      'tr',
      {},
      (axes.length === 0 ? [label(summary.cell)] : axes.map((name) => String(summary.cell[name]))).map(
        (text) => element('th', { scope: 'row' }, text),
      ),
      element('td', { class: isBad ? 'bad' : 'number' }, formatRuns(summary)),
      COLUMNS.map((name) => element('td', { class: 'number' }, formatSummary(summary, name))),
      element('td', isBad ? { class: 'bad' } : {}, summary.verification),
    );
  });
  const head = element(
    'tr',
    {},
    headings.map((text) => element('th', { scope: 'col' }, text)),
  );
  return element(
    'div',
    { class: 'scroll' },
    element('table', {}, element('thead', {}, head), element('tbody', {}, rows)),
  );
}

function list(lines: readonly string[]): Markup {
  return element(
    'ul',
    {},
    lines.map((line) => element('li', {}, line)),
  );
}

function warning(title: string, lines: readonly string[]): Content {
  return lines.length === 0 ? [] : [element('h2', { class: 'bad' }, title), list(lines)];
}

/** The page. */
export function reportHtml(summaries: readonly CellSummary[], title: string): string {
  const label = labelCells(summaries.map(({ cell }) => cell));
  const rows = summaries.map((summary) => ({ label: label(summary.cell), summary }));
  const body: Content[] = [
    element('h1', {}, title),
    element('p', { class: 'soft' }, `All cells: ${describeCommon(summaries)}.`),
    list(describeOrigins(summaries.flatMap(({ runs }) => runs))),
    warning('Not as expected', describeFailures(summaries)),
    warning('Links not carried, so that their floors are too low', describeMissedLinks(summaries)),
    ...section(
      'Stall by page size',
      'How long a vCPU stands still for one page (dot: median of the p50 of each run; bar: from the least to the most of them), beside what the wire alone needs for it (dashed). A dot below its dashes met pages that were under way already.',
      pagePlots(summaries),
    ),
    ...section(
      'Total stall and migration time',
      'All stalls of all vCPUs added up, beside their floor, and how long the migration took.',
      rowPlot(rows, 'total stall and migration time'),
    ),
    ...section(
      'Push strategies',
      'Cells that differ in nothing but what is sent unasked.',
      strategyPlots(summaries),
    ),
    ...section(
      'Latencies',
      'Stalls of all runs of a cell by how long they took, in the buckets that QEMU counts in: each twice as long as the one before. The upright line is the floor of a page; time runs to the right, the number at the left is that of the highest bar.',
      histogramPlots(rows),
    ),
    ...section(
      'Pages over time',
      'Pages that are present at the destination, from when the source connected: of the run whose migration time is the median. The upright line is the switchover. A host page is present when all of it has come, so large ones make steps.',
      timePlots(rows),
    ),
    ...section(
      'Where the mean stall went',
      'The mean stall of each cell, cut into what its vCPU waited for (docs/anatomy.md).',
      causePlot(rows),
    ),
    ...section(
      'All cells',
      'Median over the runs; ± is the farthest run from it. ! marks a stall under its floor: the page was under way before its fault, or the floor is of a slower link. A guest is verified when its final RAM is that of the same guest run without migration, in every run.',
      [cellTable(summaries)],
    ),
  ];
  const page = element(
    'html',
    { lang: 'en' },
    element(
      'head',
      {},
      element('meta', { charset: 'utf-8' }),
      element('meta', { name: 'viewport', content: 'width=device-width, initial-scale=1' }),
      element('title', {}, title),
      stylesheet(STYLE),
    ),
    element('body', {}, body),
  );
  return `<!doctype html>\n${page.markup}\n`;
}
