// Plots total stall, its floor and migration time, a row for each cell, on one logarithmic scale.
import { formatNs } from '../../../src/cli/format-quantity.ts';
import type { Spread } from '../../spread.ts';
import type { CellSummary } from '../cell-summary.ts';
import { formatTick } from '../figure-text.ts';
import { element, type Markup } from './markup.ts';
import { logScale, type Scale } from './scale.ts';

const WIDTH = 980;
const LABEL_WIDTH = 420;
const LABEL_LENGTH = 60;
const ROW_HEIGHT = 26;
const TOP = 8;
const BOTTOM = 44;
const RIGHT = WIDTH - 70;

/** A row: a cell and what it is called. */
export interface PlotRow {
  readonly label: string;
  readonly summary: CellSummary;
}

function cutLabel(label: string): string {
  return label.length <= LABEL_LENGTH ? label : `${label.slice(0, LABEL_LENGTH - 1)}…`;
}

function spreadText(name: string, spread: Spread | null): string {
  if (spread === null) return `${name} not known`;
  return `${name} ${formatNs(spread.median)} (${formatNs(spread.min)} to ${formatNs(spread.max)})`;
}

function whisker({ min, max }: Spread, y: number, x: Scale, color: number): Markup[] {
  if (min <= 0 || min === max) return [];
  return [element('line', { class: `spread stroke-${color}`, x1: x.at(min), x2: x.at(max), y1: y, y2: y })];
}

function marks({ figures }: CellSummary, y: number, x: Scale): Markup[] {
  const { totalStall, totalFloor, migration } = figures;
  const drawn: Markup[] = [];
  if (migration !== null && migration.median > 0) {
    const at = x.at(migration.median);
    const d = `M${at} ${y - 6}L${at + 6} ${y}L${at} ${y + 6}L${at - 6} ${y}Z`;
    drawn.push(...whisker(migration, y, x, 2), element('path', { class: 'hollow stroke-2', d }));
  }
  if (totalFloor !== null && totalFloor.median > 0) {
    const at = x.at(totalFloor.median);
    drawn.push(element('line', { class: 'floor-tick', x1: at, x2: at, y1: y - 9, y2: y + 9 }));
  }
  if (totalStall !== null && totalStall.median > 0) {
    drawn.push(
      ...whisker(totalStall, y, x, 1),
      element('circle', { class: 'point fill-1', cx: x.at(totalStall.median), cy: y, r: 5 }),
      element('text', { class: 'tick', x: RIGHT + 10, y: y + 4 }, formatNs(totalStall.median)),
    );
  }
  return drawn;
}

function legend(): Markup {
  const entry = (className: string, text: string) =>
    element('span', { class: 'entry' }, element('span', { class: className }), text);
  return element(
    'p',
    { class: 'legend' },
    entry('swatch round back-1', 'total stall of all vCPUs (its value at the right)'),
    entry('swatch tick-mark', 'its floor: what the wire alone needs for the same pages'),
    entry('swatch diamond', 'migration time'),
  );
}

/** The plot; empty where nothing was measured. */
export function rowPlot(rows: readonly PlotRow[], name: string): Markup[] {
  const measured = rows.filter(({ summary }) => summary.completed.length > 0);
  const values = measured.flatMap(({ summary: { figures } }) =>
    [figures.totalStall, figures.totalFloor, figures.migration].flatMap((spread) =>
      spread === null ? [] : [spread.min, spread.max],
    ),
  );
  if (!values.some((value) => value > 0)) return [];
  const x = logScale(values, [LABEL_WIDTH, RIGHT]);
  const height = TOP + measured.length * ROW_HEIGHT + BOTTOM;
  const bottom = height - BOTTOM;
  const grid = x.ticks.flatMap((tick) => [
    element('line', { class: 'grid', x1: x.at(tick), x2: x.at(tick), y1: TOP, y2: bottom }),
    element(
      'text',
      { class: 'tick', x: x.at(tick), y: bottom + 18, 'text-anchor': 'middle' },
      formatTick(tick),
    ),
  ]);
  const drawn = measured.map(({ label, summary }, index) => {
    const y = TOP + (index + 0.5) * ROW_HEIGHT;
    const { totalStall, totalFloor, migration } = summary.figures;
    const title = `${label}: ${spreadText('total stall', totalStall)}, ${spreadText('floor', totalFloor)}, ${spreadText('migration', migration)}`;
    return element(
      'g',
      {},
      element('title', {}, title),
      element('rect', { class: 'row', x: 0, y: y - ROW_HEIGHT / 2, width: WIDTH, height: ROW_HEIGHT }),
      element(
        'text',
        { class: 'name', x: LABEL_WIDTH - 14, y: y + 4, 'text-anchor': 'end' },
        cutLabel(label),
      ),
      marks(summary, y, x),
    );
  });
  const axis = element(
    'text',
    { class: 'label', x: (LABEL_WIDTH + RIGHT) / 2, y: height - 6, 'text-anchor': 'middle' },
    'time, logarithmic',
  );
  return [
    legend(),
    element(
      'div',
      { class: 'scroll' },
      element(
        'svg',
        { viewBox: `0 0 ${WIDTH} ${height}`, width: WIDTH, height, role: 'img', 'aria-label': name },
        grid,
        drawn,
        axis,
      ),
    ),
  ];
}
