// Plots the pages present over the time of a migration, stacked by how they came: one run of each cell.
import { formatNs } from '../../../src/cli/format-quantity.ts';
import type { PagesOverTime } from '../../../src/telemetry/pages-over-time.ts';
import type { CellSummary } from '../cell-summary.ts';
import { FIGURES } from '../figures.ts';
import type { StoredRun } from '../stored-run.ts';
import { element, type Markup } from './markup.ts';
import type { PlotRow } from './row-plot.ts';

const WIDTH = 320;
const HEIGHT = 150;
const PLOT = { left: 44, right: WIDTH - 12, top: 10, bottom: HEIGHT - 30 } as const;
const MOST_PLOTS = 60;
/** From the bottom up. What is left of the present ones came in precopy. */
const KINDS = ['before the switchover', 'pushed', 'requested'] as const;

/** A run with its series; undefined without. */
interface Sampled {
  readonly run: StoredRun;
  readonly pages: PagesOverTime;
}

/** Of the runs of a cell the one whose migration time is the median, or the one below it. */
function medianRun({ completed }: CellSummary): Sampled | undefined {
  const sampled = completed.flatMap((run) => {
    const pages = run.destination?.pagesOverTime;
    return pages === undefined || pages.elapsedNs.length < 2 ? [] : [{ run, pages }];
  });
  const time = ({ run }: Sampled) => FIGURES.migration.of(run) ?? 0;
  sampled.sort((a, b) => time(a) - time(b));
  return sampled[Math.floor((sampled.length - 1) / 2)];
}

/** Upper edge of each kind at each point, as shares of all pages. */
function edgesOf({ totalPages, present, background, requested }: PagesOverTime): number[][] {
  return [
    present.map((count, at) => (count - background[at]! - requested[at]!) / totalPages),
    present.map((count, at) => (count - requested[at]!) / totalPages),
    present.map((count) => count / totalPages),
  ];
}

function area(
  xs: readonly number[],
  upper: readonly number[],
  lower: readonly number[],
  y: (share: number) => number,
): string {
  const there = xs.map((x, at) => `${at === 0 ? 'M' : 'L'}${x.toFixed(1)} ${y(upper[at]!).toFixed(1)}`);
  const back = xs.map((x, at) => `L${x.toFixed(1)} ${y(lower[at]!).toFixed(1)}`).reverse();
  return `${there.join('')}${back.join('')}Z`;
}

function plot(label: string, { run, pages }: Sampled): Markup {
  const endNs = Math.max(...pages.elapsedNs, 1);
  const x = (ns: number) => PLOT.left + (ns / endNs) * (PLOT.right - PLOT.left);
  const y = (share: number) => PLOT.bottom - share * (PLOT.bottom - PLOT.top);
  const xs = pages.elapsedNs.map(x);
  const edges = edgesOf(pages);
  const none = xs.map(() => 0);
  const areas = KINDS.map((kind, index) =>
    element(
      'path',
      { class: `fill-${index + 1}`, d: area(xs, edges[index]!, edges[index - 1] ?? none, y) },
      element('title', {}, kind),
    ),
  );
  const switchoverNs = run.destination!.times.phases['precopy'];
  const switchover =
    switchoverNs === undefined || switchoverNs > endNs
      ? []
      : [
          element(
            'line',
            {
              class: 'floor-tick',
              x1: x(switchoverNs),
              x2: x(switchoverNs),
              y1: PLOT.top - 6,
              y2: PLOT.bottom,
            },
            element('title', {}, `switchover: ${formatNs(switchoverNs)}`),
          ),
        ];
  const text = (attributes: Record<string, string | number>, content: string) =>
    element('text', { class: 'tick', ...attributes }, content);
  return element(
    'figure',
    { class: 'small' },
    element('figcaption', {}, label),
    element(
      'svg',
      {
        viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
        width: WIDTH,
        height: HEIGHT,
        role: 'img',
        'aria-label': `pages over time of ${label}`,
      },
      areas,
      element('line', { class: 'axis', x1: PLOT.left, x2: PLOT.right, y1: PLOT.bottom, y2: PLOT.bottom }),
      switchover,
      text({ x: PLOT.left - 6, y: PLOT.top + 4, 'text-anchor': 'end' }, '100 %'),
      text({ x: PLOT.left - 6, y: PLOT.bottom + 4, 'text-anchor': 'end' }, '0'),
      text({ x: PLOT.left, y: PLOT.bottom + 18, 'text-anchor': 'middle' }, '0'),
      text({ x: PLOT.right, y: PLOT.bottom + 18, 'text-anchor': 'end' }, formatNs(endNs)),
    ),
  );
}

/** The plots, each on its own time; empty where no run has a series. */
export function timePlots(rows: readonly PlotRow[]): Markup[] {
  const sampled = rows.flatMap(({ label, summary }) => {
    const run = medianRun(summary);
    return run === undefined ? [] : [{ label, run }];
  });
  if (sampled.length === 0) return [];
  const entries = KINDS.map((kind, index) =>
    element('span', { class: 'entry' }, element('span', { class: `swatch back-${index + 1}` }), kind),
  );
  const plots = sampled.slice(0, MOST_PLOTS).map(({ label, run }) => plot(label, run));
  const rest = sampled.length - plots.length;
  return [
    element('p', { class: 'legend' }, entries),
    element('div', { class: 'grid-of-plots' }, plots),
    ...(rest === 0 ? [] : [element('p', {}, `${rest} more are left out.`)]),
  ];
}
