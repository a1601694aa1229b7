// Sums the runs of each cell up: median and spread of every figure over its repeats.
import { LATENCY_BUCKET_COUNT } from '../../src/telemetry/latency-buckets.ts';
import { type CausesNs, STALL_CAUSE_NAMES, type StallCauses } from '../../src/telemetry/stall-causes.ts';
import type { StallHops } from '../../src/telemetry/stalls.ts';
import { type Spread, spreadOf } from '../spread.ts';
import { AXIS_NAMES, type Cell } from './axes.ts';
import type { CellValue } from './axis-values.ts';
import { cellKey } from './cell-key.ts';
import { FIGURE_NAMES, FIGURES, type FigureName } from './figures.ts';
import { isAsExpected, type StoredRun } from './stored-run.ts';

/** Whether the guest's RAM was proved, over all completed runs. */
export type Verification = 'verified' | 'not verified' | 'not asked for' | 'not completed';

/** The runs of one cell together. */
export interface CellSummary {
  readonly key: string;
  readonly cell: Cell;
  /** In order of their repeats. */
  readonly runs: readonly StoredRun[];
  readonly unexpected: readonly StoredRun[];
  /** Figures are of completed runs only. */
  readonly completed: readonly StoredRun[];
  readonly verification: Verification;
  /** `null` where no completed run has it. */
  readonly figures: Readonly<Record<FigureName, Spread | null>>;
  /** QEMU's histogram, the completed runs added up. */
  readonly latencyBuckets: readonly number[];
  /** Mean over all stalls of the completed runs; `null` without any. */
  readonly hops: { readonly [K in keyof StallHops]: number } | null;
  /** What the stalls of the completed runs waited for, mean of a stall; `null` without any, or of runs kept from before it was told. */
  readonly causes: Readonly<CausesNs> | null;
  /** The p50 is below the mean floor of a page: its pages were under way, or the link was faster than told. */
  readonly isUnderFloor: boolean;
}

function sumFigures(runs: readonly StoredRun[]): Record<FigureName, Spread | null> {
  const entries = FIGURE_NAMES.map((name) => {
    const values = runs.map(FIGURES[name].of).filter((value) => value !== null);
    return [name, values.length === 0 ? null : spreadOf(values)];
  });
  return Object.fromEntries(entries) as Record<FigureName, Spread | null>;
}

function addBuckets(runs: readonly StoredRun[]): number[] {
  const sum = new Array<number>(LATENCY_BUCKET_COUNT).fill(0);
  for (const { destination } of runs) {
    for (const [bucket, count] of (destination?.stalls?.latencyBuckets ?? []).entries())
      sum[bucket]! += count;
  }
  return sum;
}

function meanHops(runs: readonly StoredRun[]): CellSummary['hops'] {
  const sum = { queueNs: 0, firstByteNs: 0, placeNs: 0, resumeNs: 0 };
  const names = Object.keys(sum) as (keyof typeof sum)[];
  let count = 0;
  for (const { destination } of runs) {
    const stalls = destination?.stalls;
    if (stalls === undefined || stalls === null) continue;
    count += stalls.count;
    for (const name of names) sum[name] += (stalls.hops[name] ?? 0) * stalls.count;
  }
  if (count === 0) return null;
  for (const name of names) sum[name] /= count;
  return sum;
}

function meanCauses(runs: readonly StoredRun[]): CellSummary['causes'] {
  const sum = Object.fromEntries(STALL_CAUSE_NAMES.map((name) => [name, 0])) as CausesNs;
  let count = 0;
  for (const { destination } of runs) {
    const stalls = destination?.stalls;
    if (stalls === undefined || stalls === null) continue;
    const causes = stalls.causes as StallCauses | undefined; // a run of an older build has none
    if (causes === undefined) return null;
    count += stalls.count;
    for (const name of STALL_CAUSE_NAMES) sum[name] += causes.totalsNs[name];
  }
  if (count === 0) return null;
  for (const name of STALL_CAUSE_NAMES) sum[name] /= count;
  return sum;
}

function verificationOf(cell: Cell, completed: readonly StoredRun[]): Verification {
  if (completed.length === 0) return 'not completed';
  if (!cell.verify) return 'not asked for';
  return completed.every((run) => run.destination?.guestVerified === true) ? 'verified' : 'not verified';
}

/** Sums the runs of one cell up. */
export function summariseCell(runs: readonly StoredRun[]): CellSummary {
  const { cell } = runs[0]!;
  const completed = runs.filter(({ outcome }) => outcome === 'completed');
  const figures = sumFigures(completed);
  const [p50, floor] = [figures.p50, figures.floor];
  return {
    key: cellKey(cell),
    cell,
    runs: runs.toSorted((a, b) => a.repeat - b.repeat),
    unexpected: runs.filter((run) => !isAsExpected(run)),
    completed,
    verification: verificationOf(cell, completed),
    figures,
    latencyBuckets: addBuckets(completed),
    hops: meanHops(completed),
    causes: meanCauses(completed),
    isUnderFloor: p50 !== null && floor !== null && p50.median < floor.median,
  };
}

const BYTES = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 } as const;
const BITS = { '': 1, k: 1e3, m: 1e6, g: 1e9, t: 1e12 } as const;
const NS = { ns: 1, us: 1e3, ms: 1e6, s: 1e9 } as const;

/** Where a value stands on its axis: sizes, rates and times by what they are; words have no place of their own. */
export function magnitude(value: CellValue): number | undefined {
  if (typeof value !== 'string') return Number(value);
  const size = /^(\d+)([KMGT])?$/.exec(value);
  if (size !== null)
    return Number(size[1]) * (size[2] === undefined ? 1 : BYTES[size[2] as keyof typeof BYTES]);
  const rate = /^([\d.]+)([kmgt]?)bit$/.exec(value);
  if (rate !== null) return Number(rate[1]) * BITS[rate[2] as keyof typeof BITS];
  const time = /^([\d.]+)(ns|us|ms|s)$/.exec(value);
  return time === null ? undefined : Number(time[1]) * NS[time[2] as keyof typeof NS];
}

/** Orders values of an axis: words first, in the order of the alphabet, then by magnitude. */
export function compareValues(a: CellValue, b: CellValue): number {
  const [from, to] = [magnitude(a), magnitude(b)];
  if (from !== undefined && to !== undefined) return from - to;
  if (from === undefined && to === undefined) return String(a) < String(b) ? -1 : Number(a !== b);
  return from === undefined ? -1 : 1;
}

/** Orders cells by their axes, the first of them first. */
export function compareCells(a: Cell, b: Cell): number {
  for (const name of AXIS_NAMES) {
    const order = a[name] === b[name] ? 0 : compareValues(a[name], b[name]);
    if (order !== 0) return order;
  }
  return 0;
}

/** The cells of all runs, in order of their axes. */
export function summariseCells(runs: readonly StoredRun[]): CellSummary[] {
  const byCell = new Map<string, StoredRun[]>();
  for (const run of runs) {
    const key = cellKey(run.cell);
    const group = byCell.get(key);
    if (group === undefined) byCell.set(key, [run]);
    else group.push(run);
  }
  return [...byCell.values()].map(summariseCell).sort((a, b) => compareCells(a.cell, b.cell));
}
