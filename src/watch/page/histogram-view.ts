// The histogram of stalls in QEMU's 24 buckets, with the median, the 99th percentile, and the floor of the wire.
import type { StallsFrame } from '../model/frame.ts';
import { countText, durationText } from '../model/quantities.ts';
import { lastAt } from '../model/time-order.ts';
import { byId, type Figure, setFigures } from './elements.ts';
import type { Palette } from './palette.ts';
import type { Moment } from './session.ts';
import { Surface } from './surface.ts';
import type { Tip } from './tip.ts';

const BUCKETS = 24;
const EDGE = { left: 4, right: 4, top: 16, bottom: 15 } as const;

/** Where a latency stands on the scale of buckets, 0 to 24. */
export function bucketPlace(ns: number): number {
  return Math.max(0, Math.min(BUCKETS, Math.log2(Math.max(1, ns / 1000))));
}

/** The histogram. */
export class HistogramView {
  readonly #surface = new Surface(byId<HTMLCanvasElement>('stalls'));
  readonly #palette: Palette;
  #stalls: StallsFrame | undefined;

  constructor(palette: Palette, tip: Tip) {
    this.#palette = palette;
    const { canvas } = this.#surface;
    canvas.addEventListener('pointerleave', () => tip.hide());
    canvas.addEventListener('pointermove', (event) => {
      const bucket = Math.floor((event.offsetX - EDGE.left) / this.#columnWidth());
      const count = this.#stalls?.buckets[bucket];
      if (count === undefined) {
        tip.hide();
        return;
      }
      const from = bucket === 0 ? 0 : 2 ** bucket * 1000;
      const to = bucket === BUCKETS - 1 ? 'more' : durationText(2 ** (bucket + 1) * 1000);
      const title = `${durationText(from)} to ${to}`;
      tip.show(
        { title, rows: [['stalls', countText(count)]], history: [], words: title },
        event.clientX,
        event.clientY,
      );
    });
  }

  #columnWidth(): number {
    return (this.#surface.width - EDGE.left - EDGE.right) / BUCKETS;
  }

  /** Draws the stalls so far. */
  draw({ run, at }: Moment): void {
    this.#stalls = lastAt(run.ends.destination.stalls, at);
    const context = this.#surface.begin();
    const { height } = this.#surface;
    const bottom = height - EDGE.bottom;
    const column = this.#columnWidth();
    const counts = this.#stalls?.buckets ?? [];
    const most = counts.reduce((highest, count) => Math.max(highest, count), 1);
    context.fillStyle = this.#palette.color('line');
    context.fillRect(EDGE.left, bottom, column * BUCKETS, 1);
    context.fillStyle = this.#palette.color('push');
    counts.forEach((count, bucket) => {
      if (count === 0) return;
      const tall = Math.max(2, ((bottom - EDGE.top) * count) / most);
      context.fillRect(EDGE.left + bucket * column + 0.75, bottom - tall, column - 1.5, tall);
    });
    context.fillStyle = this.#palette.color('faint');
    context.textAlign = 'left';
    for (const [bucket, text] of [
      [0, '1 µs'],
      [5, '32 µs'],
      [10, '1 ms'],
      [15, '33 ms'],
      [20, '1 s'],
    ] as const) {
      context.fillText(text, EDGE.left + bucket * column, bottom + 9);
    }
    const { floor = null, p50 = null, p99 = null, count = 0 } = this.#stalls ?? {};
    let left = Number.NEGATIVE_INFINITY;
    const marks = [
      { ns: floor, name: 'floor', color: 'good' },
      { ns: p50, name: 'p50', color: 'ink' },
      { ns: p99, name: 'p99', color: 'bad' },
    ];
    for (const { ns, name, color } of marks.toSorted((a, b) => (a.ns ?? 0) - (b.ns ?? 0))) {
      if (ns === null || ns === 0) continue;
      // A name that would stand on the one before stands beside it.
      left = this.#mark(context, { ns, name, color, least: left + 5 });
    }
    const figures: Figure[] =
      count === 0
        ? [{ text: 'none yet' }]
        : [
            { text: `p50 ${durationText(p50)}`, color: 'ink' },
            { text: `p99 ${durationText(p99)}`, color: 'bad' },
            ...(floor === null ? [] : [{ text: `floor ${durationText(floor)}`, color: 'good' }]),
          ];
    setFigures(byId('stalls-figure'), figures);
    const words = figures.map(({ text }) => text).join(', ');
    this.#surface.canvas.setAttribute(
      'aria-label',
      `Histogram of ${count} stalls in QEMU's buckets: ${words}`,
    );
  }

  /** Draws a mark with its name; returns where the name ends. */
  #mark(
    context: CanvasRenderingContext2D,
    { ns, name, color, least }: { ns: number; name: string; color: string; least: number },
  ): number {
    const x = EDGE.left + bucketPlace(ns) * this.#columnWidth();
    context.fillStyle = this.#palette.color(color);
    context.fillRect(Math.round(x), EDGE.top - 3, 1.5, this.#surface.height - EDGE.bottom - EDGE.top + 3);
    const { width } = context.measureText(name);
    const at = Math.min(Math.max(x - width / 2, least), this.#surface.width - width);
    context.textAlign = 'left';
    context.fillText(name, at, EDGE.top - 10);
    return at + width;
  }
}
