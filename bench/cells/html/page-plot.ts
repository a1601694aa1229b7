// Plots stalls by page size, a line for each link, against their floors: both axes logarithmic.
import { formatBytes, formatNs } from '../../../src/cli/format-quantity.ts';
import type { AxisName, Cell } from '../axes.ts';
import { describeCell, varyingAxes } from '../cell-labels.ts';
import { type CellSummary, magnitude } from '../cell-summary.ts';
import { formatTick } from '../figure-text.ts';
import { element, type Markup } from './markup.ts';
import { logScale, pageScale, type Scale } from './scale.ts';

const WIDTH = 520;
const HEIGHT = 360;
const PLOT = { left: 76, right: WIDTH - 16, top: 12, bottom: HEIGHT - 48 } as const;
/** As many as there are colours. */
const MOST_SERIES = 8;
const MOST_PANELS = 24;
const PAGE_AXIS: AxisName = 'destination-page';
/** Axes that become lines of one plot, as long as there are colours; all others become plots of their own. */
const SERIES_AXES: readonly AxisName[] = ['link', 'placement-page', 'rtt'];

/** A cell where its page size is. */
export interface PagePoint {
  readonly pageBytes: number;
  readonly summary: CellSummary;
}

/** A line: the cells that differ in their page size only. */
export interface PageSeries {
  readonly label: string;
  /** From 1 on, the same in all plots. */
  readonly color: number;
  readonly points: readonly PagePoint[];
}

/** One plot. */
export interface PagePanel {
  readonly title: string;
  readonly series: readonly PageSeries[];
}

function pageBytesOf(cell: Cell): number {
  return magnitude(cell[PAGE_AXIS])!;
}

function groupBy(summaries: readonly CellSummary[], axes: readonly AxisName[]): Map<string, CellSummary[]> {
  const groups = new Map<string, CellSummary[]>();
  for (const summary of summaries) {
    const label = axes.length === 0 ? '' : describeCell(summary.cell, axes);
    groups.set(label, [...(groups.get(label) ?? []), summary]);
  }
  return groups;
}

function sizesOf(points: readonly PagePoint[]): number {
  return new Set(points.map(({ pageBytes }) => pageBytes)).size;
}

/** The plots of cells: none where there is only one page size. */
export function pagePanels(summaries: readonly CellSummary[]): PagePanel[] {
  const measured = summaries.filter(({ figures }) => (figures.p50?.median ?? 0) > 0);
  if (measured.length === 0) return [];
  const varying = varyingAxes(measured.map(({ cell }) => cell)).filter((name) => name !== PAGE_AXIS);
  let seriesAxes = SERIES_AXES.filter((name) => varying.includes(name));
  while (groupBy(measured, seriesAxes).size > MOST_SERIES) seriesAxes = seriesAxes.slice(0, -1);
  const panelAxes = varying.filter((name) => !seriesAxes.includes(name));
  const labels = [...groupBy(measured, seriesAxes).keys()];
  return [...groupBy(measured, panelAxes)]
    .map(([title, group]) => ({
      title,
      series: [...groupBy(group, seriesAxes)].map(([label, cells]) => ({
        label: label || 'stall',
        color: labels.indexOf(label) + 1,
        points: cells
          .map((summary) => ({ pageBytes: pageBytesOf(summary.cell), summary }))
          .sort((a, b) => a.pageBytes - b.pageBytes),
      })),
    }))
    .filter(({ series }) => sizesOf(series.flatMap(({ points }) => points)) > 1);
}

function path(points: readonly (readonly [number, number])[], className: string, color: number): Markup {
  const d = points
    .map(([x, y], index) => `${index === 0 ? 'M' : 'L'}${x.toFixed(1)} ${y.toFixed(1)}`)
    .join('');
  return element('path', { class: `${className} stroke-${color}`, d });
}

function axes(x: Scale, y: Scale): Markup[] {
  const grid = y.ticks.map((tick) =>
    element('line', { class: 'grid', x1: PLOT.left, x2: PLOT.right, y1: y.at(tick), y2: y.at(tick) }),
  );
  const yLabels = y.ticks.map((tick) =>
    element(
      'text',
      { class: 'tick', x: PLOT.left - 8, y: y.at(tick) + 4, 'text-anchor': 'end' },
      formatTick(tick),
    ),
  );
  const xLabels = x.ticks.map((tick) =>
    element(
      'text',
      { class: 'tick', x: x.at(tick), y: PLOT.bottom + 18, 'text-anchor': 'middle' },
      formatBytes(tick),
    ),
  );
  const [middleX, middleY] = [(PLOT.left + PLOT.right) / 2, (PLOT.top + PLOT.bottom) / 2];
  return [
    ...grid,
    element('line', { class: 'axis', x1: PLOT.left, x2: PLOT.right, y1: PLOT.bottom, y2: PLOT.bottom }),
    ...yLabels,
    ...xLabels,
    element(
      'text',
      { class: 'label', x: middleX, y: HEIGHT - 8, 'text-anchor': 'middle' },
      'host page at the destination',
    ),
    element(
      'text',
      { class: 'label', x: 14, y: middleY, 'text-anchor': 'middle', transform: `rotate(-90 14 ${middleY})` },
      'stall, p50',
    ),
  ];
}

function describePoint(label: string, { cell, figures }: CellSummary): string {
  const { p50, p99, floor } = figures;
  const told = (ns: number | undefined) => (ns === undefined ? 'not known' : formatNs(ns));
  const range = `${told(p50?.min)} to ${told(p50?.max)}`;
  return `${label}, ${cell[PAGE_AXIS]}: p50 ${told(p50?.median)} (${range}), p99 ${told(p99?.median)}, floor ${told(floor?.median)}`;
}

function drawSeries({ label, color, points }: PageSeries, x: Scale, y: Scale): Markup[] {
  const floors = points.flatMap(({ pageBytes, summary }) => {
    const floorNs = summary.figures.floor?.median ?? 0;
    return floorNs > 0 ? [[x.at(pageBytes), y.at(floorNs)] as const] : [];
  });
  const medians = points.map(({ pageBytes, summary }) => {
    return [x.at(pageBytes), y.at(summary.figures.p50!.median)] as const;
  });
  const marks = points.map(({ pageBytes, summary }) => {
    const { min, max, median } = summary.figures.p50!;
    const at = x.at(pageBytes);
    return element(
      'g',
      {},
      element('title', {}, describePoint(label, summary)),
      element('line', {
        class: `spread stroke-${color}`,
        x1: at,
        x2: at,
        y1: y.at(Math.max(min, 1)),
        y2: y.at(max),
      }),
      element('circle', {
        class: `point fill-${color}`,
        cx: at,
        cy: y.at(median),
        r: summary.isUnderFloor ? 5 : 4,
      }),
    );
  });
  const floorMarks = floors.map(([cx, cy]) =>
    element('line', { class: `floor stroke-${color}`, x1: cx - 7, x2: cx + 7, y1: cy, y2: cy }),
  );
  return [path(floors, 'floor', color), ...floorMarks, path(medians, 'series', color), ...marks];
}

function legend(series: readonly PageSeries[]): Markup {
  const entries = series.map(({ label, color }) =>
    element('span', { class: 'entry' }, element('span', { class: `swatch back-${color}` }), label),
  );
  const floor = element('span', { class: 'entry' }, element('span', { class: 'swatch dashed' }), 'its floor');
  return element('p', { class: 'legend' }, entries, floor);
}

/** The plots, all on the same scales; empty where there is nothing to plot. */
export function pagePlots(summaries: readonly CellSummary[]): Markup[] {
  const panels = pagePanels(summaries);
  if (panels.length === 0) return [];
  const points = panels.flatMap(({ series }) => series.flatMap((one) => one.points));
  const values = points.flatMap(({ summary: { figures } }) => [
    figures.p50!.min,
    figures.p50!.max,
    figures.floor?.median ?? 0,
  ]);
  const x = pageScale(
    points.map(({ pageBytes }) => pageBytes),
    [PLOT.left, PLOT.right],
  );
  const y = logScale(values, [PLOT.bottom, PLOT.top]);
  const drawn = panels.slice(0, MOST_PANELS).map(({ title, series }) =>
    element(
      'figure',
      {},
      element('figcaption', {}, title),
      element(
        'svg',
        {
          viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
          width: WIDTH,
          height: HEIGHT,
          role: 'img',
          'aria-label': `stall by page size ${title}`,
        },
        axes(x, y),
        series.map((one) => drawSeries(one, x, y)),
      ),
      legend(series),
    ),
  );
  const rest = panels.length - drawn.length;
  return rest === 0
    ? drawn
    : [...drawn, element('p', {}, `${rest} more plots are left out; the table has all cells.`)];
}
