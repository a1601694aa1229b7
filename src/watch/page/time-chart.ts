// A chart of values over time: areas on each other, lines and steps on one or two scales, a mark at the moment shown.
import { countUntil } from '../model/time-order.ts';
import type { Palette } from './palette.ts';
import type { Moment } from './session.ts';
import { Surface } from './surface.ts';
import { roundStep, type TimeAxis, timeTicks, xOf } from './time-axis.ts';

/** One value over time. */
export interface Series<T extends { readonly at: number }> {
  readonly color: string;
  readonly items: readonly T[];
  readonly value: (item: T, before: T | undefined) => number | null;
  /** `area` stands on the areas before it; `step` holds until the next value. */
  readonly form: 'area' | 'line' | 'step';
  readonly scale?: 'right';
}

/** How a chart's scales are written. */
export interface ChartScales {
  readonly left: (value: number) => string;
  readonly right?: (value: number) => string;
}

// biome-ignore lint/suspicious/noExplicitAny: series of different frames are drawn on one chart
type AnySeries = Series<any>;

const EDGE = { left: 4, right: 4, top: 4, bottom: 16 } as const;

/** A chart. */
export class TimeChart {
  readonly #surface: Surface;
  readonly #palette: Palette;
  readonly #scales: ChartScales;

  constructor(canvas: HTMLCanvasElement, palette: Palette, scales: ChartScales) {
    this.#surface = new Surface(canvas);
    this.#palette = palette;
    this.#scales = scales;
  }

  /** Draws everything. */
  draw(moment: Moment, series: readonly AnySeries[]): void {
    const context = this.#surface.begin();
    const { width, height } = this.#surface;
    const axis = { from: moment.from, to: moment.to, left: EDGE.left, width: width - EDGE.left - EDGE.right };
    if (axis.width < 20 || height < 40) return;
    const columns = series.map((one) => columnsOf(one, axis, moment));
    const most = { left: 0, right: 0 };
    const stack = new Float64Array(Math.ceil(axis.width) + 1);
    columns.forEach((values, index) => {
      const { form, scale = 'left' } = series[index]!;
      values.forEach((value, x) => {
        if (value === null) return;
        if (form === 'area') stack[x]! += value;
        most[scale] = Math.max(most[scale], form === 'area' ? stack[x]! : value);
      });
    });
    const top = { left: scaleTop(most.left), right: scaleTop(most.right) };
    const plot = { top: EDGE.top, height: height - EDGE.top - EDGE.bottom };
    this.#drawGrid(context, axis, moment, plot);
    const floor = new Float64Array(stack.length);
    columns.forEach((values, index) => {
      const one = series[index]!;
      const y = (value: number): number => plot.top + plot.height * (1 - value / top[one.scale ?? 'left']);
      if (one.form === 'area') drawArea(context, values, floor, y, this.#palette.color(one.color), axis.left);
      else drawLine(context, values, y, this.#palette.color(one.color), axis.left);
    });
    this.#drawScales(context, most, top, plot, width);
    const x = xOf(axis, moment.at);
    context.fillStyle = this.#palette.color('soft');
    if (!moment.isLive && x >= axis.left) context.fillRect(Math.round(x), plot.top, 1, plot.height);
  }

  #drawGrid(
    context: CanvasRenderingContext2D,
    axis: TimeAxis,
    moment: Moment,
    plot: { top: number; height: number },
  ): void {
    context.fillStyle = this.#palette.color('grid');
    for (const share of [0, 0.5])
      context.fillRect(axis.left, Math.round(plot.top + plot.height * share), axis.width, 1);
    context.fillStyle = this.#palette.color('line');
    context.fillRect(axis.left, plot.top + plot.height, axis.width, 1);
    context.fillStyle = this.#palette.color('faint');
    context.textAlign = 'center';
    for (const { at, text } of timeTicks(axis, moment.run.startAt, 56)) {
      const x = xOf(axis, at);
      if (x > axis.left + 14 && x < axis.left + axis.width - 16)
        context.fillText(text, x, plot.top + plot.height + 9);
    }
  }

  #drawScales(
    context: CanvasRenderingContext2D,
    most: { left: number; right: number },
    top: { left: number; right: number },
    plot: { top: number; height: number },
    width: number,
  ): void {
    context.fillStyle = this.#palette.color('soft');
    context.textAlign = 'left';
    if (most.left > 0) context.fillText(this.#scales.left(top.left), EDGE.left + 2, plot.top + 7);
    context.textAlign = 'right';
    if (most.right > 0 && this.#scales.right)
      context.fillText(this.#scales.right(top.right), width - EDGE.right - 2, plot.top + 7);
  }
}

function scaleTop(most: number): number {
  if (!(most > 0) || !Number.isFinite(most)) return 1;
  const step = roundStep(most / 4);
  return Math.ceil((most * 1.02) / step) * step;
}

/** The value at each pixel: the highest of those that fall on it, or the one that holds there; null where there is none. */
function columnsOf(series: AnySeries, axis: TimeAxis, moment: Moment): (number | null)[] {
  const count = Math.ceil(axis.width) + 1;
  const values = new Array<number | null>(count).fill(null);
  const { items, value, form } = series;
  const nsPerPixel = (axis.to - axis.from) / axis.width;
  const timeOf = (item: { at: number }): number => item.at;
  const end = countUntil(items, Math.min(axis.to, Math.max(moment.at, moment.run.endAt)), timeOf);
  let next = Math.max(0, countUntil(items, axis.from, timeOf) - 1);
  let held: number | null = null;
  let last = -1;
  for (; next < end; next += 1) {
    const found = value(items[next]!, items[next - 1]);
    const x = Math.max(0, Math.min(count - 1, Math.round((items[next]!.at - axis.from) / nsPerPixel)));
    // A value is of the time until it was told; a step is what holds from then on.
    const filler = form === 'step' ? held : found;
    for (let i = Math.max(0, last + 1); i < x; i += 1)
      values[i] = last < 0 && form !== 'step' ? null : filler;
    const there = x === last ? values[x]! : null;
    values[x] = found === null ? there : Math.max(there ?? 0, found);
    held = found ?? held;
    last = x;
  }
  if (form === 'step' && last >= 0) {
    const until = Math.min(count, Math.ceil((Math.min(moment.run.endAt, axis.to) - axis.from) / nsPerPixel));
    for (let i = last + 1; i < until; i += 1) values[i] = held;
  }
  return values;
}

function drawArea(
  context: CanvasRenderingContext2D,
  values: readonly (number | null)[],
  floor: Float64Array,
  y: (value: number) => number,
  color: string,
  left: number,
): void {
  context.fillStyle = color;
  values.forEach((value, x) => {
    if (value === null || value === 0) return;
    const [bottom, top] = [y(floor[x]!), y(floor[x]! + value)];
    context.fillRect(left + x, top, 1.02, bottom - top);
    floor[x]! += value;
  });
}

function drawLine(
  context: CanvasRenderingContext2D,
  values: readonly (number | null)[],
  y: (value: number) => number,
  color: string,
  left: number,
): void {
  context.strokeStyle = color;
  context.lineWidth = 1.5;
  context.beginPath();
  let isDown = false;
  values.forEach((value, x) => {
    if (value === null) isDown = false;
    else if (isDown) context.lineTo(left + x, y(value));
    else context.moveTo(left + x, y(value));
    if (value !== null) isDown = true;
  });
  context.stroke();
}
