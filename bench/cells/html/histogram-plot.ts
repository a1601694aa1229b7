// Plots QEMU's histogram of fault latencies for each cell, with the floor of a page in it.
import { formatNs } from '../../../src/cli/format-quantity.ts';
import { LATENCY_BUCKET_COUNT, latencyBucketStartUs } from '../../../src/telemetry/latency-buckets.ts';
import type { CellSummary } from '../cell-summary.ts';
import { element, type Markup } from './markup.ts';
import type { PlotRow } from './row-plot.ts';

const WIDTH = 320;
const HEIGHT = 150;
const PLOT = { left: 44, right: WIDTH - 8, top: 10, bottom: HEIGHT - 30 } as const;
const TICK_EVERY = 5;
const MOST_PLOTS = 60;

interface Range {
  readonly first: number;
  readonly last: number;
}

/** Buckets that any of the cells uses, and one more on each side. */
function rangeOf(summaries: readonly CellSummary[]): Range {
  const used = summaries.flatMap(({ latencyBuckets }) =>
    latencyBuckets.flatMap((count, bucket) => (count > 0 ? [bucket] : [])),
  );
  return {
    first: Math.max(0, Math.min(...used) - 1),
    last: Math.min(LATENCY_BUCKET_COUNT - 1, Math.max(...used) + 1),
  };
}

function bucketText(bucket: number, count: number): string {
  const from = formatNs(latencyBucketStartUs(bucket) * 1000);
  const isLast = bucket === LATENCY_BUCKET_COUNT - 1;
  const range = isLast
    ? `${from} and more`
    : `${from} to ${formatNs(latencyBucketStartUs(bucket + 1) * 1000)}`;
  return `${range}: ${count} stalls`;
}

function plot({ label, summary }: PlotRow, { first, last }: Range): Markup {
  const { latencyBuckets, figures } = summary;
  const highest = Math.max(...latencyBuckets);
  const step = (PLOT.right - PLOT.left) / (last - first + 1);
  const x = (bucket: number) => PLOT.left + (bucket - first) * step;
  const bars: Markup[] = [];
  const ticks: Markup[] = [];
  for (let bucket = first; bucket <= last; bucket += 1) {
    const count = latencyBuckets[bucket]!;
    // One stall among thousands still shows.
    const height = count === 0 ? 0 : Math.max(1.5, (count / highest) * (PLOT.bottom - PLOT.top));
    if (count > 0) {
      bars.push(
        element(
          'rect',
          { class: 'bar fill-1', x: x(bucket) + 1, y: PLOT.bottom - height, width: step - 2, height },
          element('title', {}, bucketText(bucket, count)),
        ),
      );
    }
    if (bucket % TICK_EVERY === 0) {
      const text = formatNs(latencyBucketStartUs(bucket) * 1000);
      ticks.push(
        element('line', {
          class: 'axis',
          x1: x(bucket),
          x2: x(bucket),
          y1: PLOT.bottom,
          y2: PLOT.bottom + 4,
        }),
        element('text', { class: 'tick', x: x(bucket), y: PLOT.bottom + 18, 'text-anchor': 'middle' }, text),
      );
    }
  }
  const floorNs = figures.floor?.median ?? null;
  const floor: Markup[] = [];
  if (floorNs !== null && floorNs > 0) {
    const at = Math.min(PLOT.right, Math.max(PLOT.left, x(Math.log2(Math.max(floorNs / 1000, 1)))));
    floor.push(
      element(
        'line',
        { class: 'floor-tick', x1: at, x2: at, y1: PLOT.top - 6, y2: PLOT.bottom },
        element('title', {}, `floor of a page: ${formatNs(floorNs)}`),
      ),
    );
  }
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
        'aria-label': `latencies of ${label}`,
      },
      element('line', { class: 'axis', x1: PLOT.left, x2: PLOT.right, y1: PLOT.bottom, y2: PLOT.bottom }),
      element(
        'text',
        { class: 'tick', x: PLOT.left - 6, y: PLOT.top + 6, 'text-anchor': 'end' },
        String(highest),
      ),
      element('text', { class: 'tick', x: PLOT.left - 6, y: PLOT.bottom + 4, 'text-anchor': 'end' }, '0'),
      bars,
      ticks,
      floor,
    ),
  );
}

/** The plots, all on the same time scale; empty where no vCPU waited. */
export function histogramPlots(rows: readonly PlotRow[]): Markup[] {
  const stalled = rows.filter(({ summary }) => summary.latencyBuckets.some((count) => count > 0));
  if (stalled.length === 0) return [];
  const range = rangeOf(stalled.map(({ summary }) => summary));
  const plots = stalled.slice(0, MOST_PLOTS).map((row) => plot(row, range));
  const rest = stalled.length - plots.length;
  const grid = element('div', { class: 'grid-of-plots' }, plots);
  return rest === 0
    ? [grid]
    : [grid, element('p', {}, `${rest} more are left out; the CSV has all buckets.`)];
}
