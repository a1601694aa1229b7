// The figures of a run that tables, CSV, plots and comparisons show, each declared once.
import type { CollapseCounts } from '../../src/telemetry/result.ts';
import type { StallSummary } from '../../src/telemetry/stalls.ts';
import type { CellRun } from './stored-run.ts';

/** One figure of a run. */
export interface Figure {
  readonly title: string;
  readonly unit: 'ns' | 'count' | 'percent' | 'bytes' | 'bytes/s' | 's';
  /** `null` where a run does not have it. */
  readonly of: (run: CellRun) => number | null;
}

function stalls(run: CellRun): StallSummary | null {
  return run.destination?.stalls ?? null;
}

/** Time that the wire alone needs for all pages that were waited for, one after the other; null if its rate is not known. */
function floorTotalNs(run: CellRun): number | null {
  const summary = stalls(run);
  if (summary === null) return null;
  let totalNs = 0;
  for (const { count, floorNs } of summary.perBlock) {
    if (floorNs === null) return null;
    totalNs += count * floorNs;
  }
  return totalNs;
}

/** The floor of one page, on average over those that were waited for. */
function floorNs(run: CellRun): number | null {
  const count = stalls(run)?.count ?? 0;
  const totalNs = floorTotalNs(run);
  return totalNs === null || count === 0 ? null : totalNs / count;
}

function downtimeNs({ source, destination }: CellRun): number | null {
  const stoppedNs = source?.marks.guestStoppedNs ?? null;
  const runningNs = destination?.marks.guestRunningNs ?? null;
  return stoppedNs === null || runningNs === null ? null : runningNs - stoppedNs;
}

function underFloor(run: CellRun): number | null {
  return stalls(run)?.perBlock.reduce((sum, block) => sum + block.underFloor, 0) ?? null;
}

/** For how long a page that was collapsed had been in pieces. */
function meanInPiecesNs(collapses: CollapseCounts | undefined): number | null {
  if (collapses === undefined || collapses.count === 0) return null;
  const { inPiecesTotalNs, count } = collapses as Partial<CollapseCounts>;
  // Runs that were kept before these were counted lack them.
  return inPiecesTotalNs === undefined || count === undefined ? null : inPiecesTotalNs / count;
}

/** Of the host pages that a vCPU touched after the switchover: those that it had to wait for, in percent. */
function faultShare({ destination }: CellRun): number | null {
  const push = destination?.push ?? null;
  if (push === null || push.faultedHostPages === null || push.pushedTouched === null) return null;
  const touched = push.faultedHostPages + push.pushedTouched;
  return touched === 0 ? null : (push.faultedHostPages / touched) * 100;
}

/** All figures by name. The names are columns of the CSV. */
export const FIGURES = {
  p50: { title: 'stall p50', unit: 'ns', of: (run) => stalls(run)?.p50Ns ?? null },
  p99: { title: 'stall p99', unit: 'ns', of: (run) => stalls(run)?.p99Ns ?? null },
  mean: { title: 'stall mean', unit: 'ns', of: (run) => stalls(run)?.meanNs ?? null },
  max: { title: 'stall max', unit: 'ns', of: (run) => stalls(run)?.maxNs ?? null },
  floor: { title: 'floor of one', unit: 'ns', of: floorNs },
  faults: { title: 'faults', unit: 'count', of: (run) => stalls(run)?.count ?? null },
  faultShare: { title: 'touched pages that faulted', unit: 'percent', of: faultShare },
  totalStall: { title: 'total stall', unit: 'ns', of: (run) => stalls(run)?.totalNs ?? null },
  totalFloor: { title: 'total floor', unit: 'ns', of: floorTotalNs },
  underFloor: { title: 'stalls under the floor', unit: 'count', of: underFloor },
  blocktime: { title: 'blocktime', unit: 'ns', of: (run) => stalls(run)?.blocktimeNs ?? null },
  migration: { title: 'migration', unit: 'ns', of: ({ source }) => source?.times.totalNs ?? null },
  downtime: { title: 'downtime', unit: 'ns', of: downtimeNs },
  wireRate: {
    title: 'rate of the wire',
    unit: 'bytes/s',
    of: ({ source }) => source?.link?.forward.carriedBytesPerSecond ?? source?.wire.bytesPerSecond ?? null,
  },
  wireBytes: { title: 'bytes on the wire', unit: 'bytes', of: ({ source }) => source?.bytes.wire ?? null },
  requests: { title: 'requests read', unit: 'count', of: ({ source }) => source?.push?.requests ?? null },
  requestsFoundSent: {
    title: 'requests whose page was sent already',
    unit: 'count',
    of: ({ source }) => source?.push?.requestsFoundSent ?? null,
  },
  pushedTouched: {
    title: 'pages pushed and touched',
    unit: 'count',
    of: ({ destination }) => destination?.push?.pushedTouched ?? null,
  },
  pushedUntouched: {
    title: 'pages pushed and not touched',
    unit: 'count',
    of: ({ destination }) => destination?.push?.pushedUntouched ?? null,
  },
  inPieces: {
    title: 'host page in pieces, mean',
    unit: 'ns',
    of: ({ destination }) => meanInPiecesNs(destination?.collapses),
  },
  inPiecesBetween: {
    title: 'page of collapse-at in pieces, mean',
    unit: 'ns',
    of: ({ destination }) => meanInPiecesNs((destination?.collapses?.steps ?? [])[0]),
  },
  sourceCpu: {
    title: 'CPU of the source',
    unit: 's',
    of: ({ usage }) => usage.source?.cpuSeconds ?? null,
  },
  destinationCpu: {
    title: 'CPU of the destination',
    unit: 's',
    of: ({ usage }) => usage.destination?.cpuSeconds ?? null,
  },
} as const satisfies Readonly<Record<string, Figure>>;

/** Name of a figure. */
export type FigureName = keyof typeof FIGURES;

/** All names, in order. */
export const FIGURE_NAMES = Object.keys(FIGURES) as FigureName[];
