// Time per page and peak memory as RAM grows.
import { runProductPair } from './product-pair.ts';
import { formatSpread, type Spread, spreadOf } from './spread.ts';
import { formatTable } from './table.ts';

const MIB = 2 ** 20;
/** Memory beyond the guest's RAM that each end may use. */
export const OVERHEAD_LIMIT_BYTES = 256 * MIB;
/** How far time per page at the largest RAM may be from that at the smallest. */
export const TIME_PER_PAGE_TOLERANCE = 0.2;

/** One size of RAM. */
export interface ScalePoint {
  readonly ramBytes: number;
  readonly nsPerPage: Spread;
  /** Highest of the repeats, beyond RAM. */
  readonly sourceOverheadBytes: number;
  readonly destinationOverheadBytes: number;
}

/** Runs each size `rounds` times, all sizes in turns. */
export async function scaleCase(options: {
  ramSizes: readonly number[];
  rounds: number;
  /** Whether the destination's RAM is committed before the time is taken. */
  preallocates: boolean;
  onRound: (line: string) => void;
}): Promise<ScalePoint[]> {
  const runs = new Map(
    options.ramSizes.map((size) => [size, [] as Awaited<ReturnType<typeof runProductPair>>[]]),
  );
  for (let round = 0; round < options.rounds; round += 1) {
    for (const ramBytes of options.ramSizes) {
      const run = await runProductPair(ramBytes, options.preallocates);
      runs.get(ramBytes)!.push(run);
      options.onRound(
        `scale round ${round + 1}: ${ramBytes / MIB} MiB, ${run.nsPerPage.toFixed(0)} ns per page`,
      );
    }
  }
  return options.ramSizes.map((ramBytes) => {
    const all = runs.get(ramBytes)!;
    const overhead = (of: 'source' | 'destination') =>
      Math.max(...all.map((run) => run[of].peakRssBytes)) - ramBytes;
    return {
      ramBytes,
      nsPerPage: spreadOf(all.map((run) => run.nsPerPage)),
      sourceOverheadBytes: overhead('source'),
      destinationOverheadBytes: overhead('destination'),
    };
  });
}

/** The points as a table, and whether the goals hold. */
export function describeScale(points: readonly ScalePoint[]): string {
  const medians = points.map((point) => point.nsPerPage.median);
  const deviation = Math.max(...medians) / Math.min(...medians) - 1;
  const fits = points.every(
    (point) => Math.max(point.sourceOverheadBytes, point.destinationOverheadBytes) <= OVERHEAD_LIMIT_BYTES,
  );
  const rows = points.map((point) => [
    `${point.ramBytes / MIB} MiB`,
    formatSpread(point.nsPerPage),
    `${(point.sourceOverheadBytes / MIB).toFixed(0)}`,
    `${(point.destinationOverheadBytes / MIB).toFixed(0)}`,
  ]);
  return [
    formatTable(
      ['RAM', 'ns per page, median (min..max)', 'source: MiB beyond RAM', 'destination: MiB beyond RAM'],
      rows,
    ),
    '',
    `slowest over fastest median: +${(deviation * 100).toFixed(0)} % (goal: at most ${TIME_PER_PAGE_TOLERANCE * 100} %): ${deviation <= TIME_PER_PAGE_TOLERANCE ? 'yes' : 'NO'}`,
    `memory beyond RAM at most ${OVERHEAD_LIMIT_BYTES / MIB} MiB: ${fits ? 'yes' : 'NO'}`,
  ].join('\n');
}
