// Figures of cells as text: a median with its spread, in one unit.
import { formatBytes, formatNs, formatRate } from '../../src/cli/format-quantity.ts';
import type { Spread } from '../spread.ts';
import type { CellSummary } from './cell-summary.ts';
import { FIGURES, type Figure, type FigureName } from './figures.ts';

/** What marks a stall that is shorter than the wire alone needs. */
export const UNDER_FLOOR_MARK = '!';

/** A value in its unit. */
export function formatFigure(value: number, unit: Figure['unit']): string {
  if (unit === 'ns') return formatNs(value);
  if (unit === 'bytes') return formatBytes(value);
  if (unit === 'bytes/s') return formatRate(value);
  if (unit === 'percent') return `${value.toPrecision(3)} %`;
  return unit === 's' ? `${value.toFixed(2)} s` : String(Math.round(value * 10) / 10);
}

/** Half of the range over the median: how far repeats lie from it. Empty for a single run. */
export function formatDeviation({ count, min, median, max }: Spread): string {
  if (count < 2) return '';
  if (min === max) return ' ±0 %';
  return median === 0 ? '' : ` ±${Math.round((Math.max(max - median, median - min) / median) * 100)} %`;
}

/** `1.23 ms ±4 %`, marked where a stall is under its floor; `-` where no run has it. */
export function formatSummary(summary: CellSummary, name: FigureName): string {
  const spread = summary.figures[name];
  if (spread === null) return '-';
  const floor = name === 'totalStall' ? summary.figures.totalFloor : summary.figures.floor;
  const isStall =
    name === 'p50' || name === 'p99' || name === 'mean' || name === 'max' || name === 'totalStall';
  const mark = isStall && floor !== null && spread.median < floor.median ? UNDER_FLOOR_MARK : '';
  return formatFigure(spread.median, FIGURES[name].unit) + mark + formatDeviation(spread);
}

/** A value of a tick, without the digits that say nothing. */
export function formatTick(durationNs: number): string {
  return formatNs(durationNs).replace(/\.0+(?= )/, '');
}
