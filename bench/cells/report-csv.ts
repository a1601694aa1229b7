// The results of cells as CSV: a row for each cell, values in base units.
import { LATENCY_BUCKET_COUNT, latencyBucketStartUs } from '../../src/telemetry/latency-buckets.ts';
import { STALL_CAUSE_NAMES } from '../../src/telemetry/stall-causes.ts';
import { AXIS_NAMES } from './axes.ts';
import type { CellSummary } from './cell-summary.ts';
import { FIGURE_NAMES, FIGURES } from './figures.ts';

const HOPS = ['queueNs', 'firstByteNs', 'placeNs', 'resumeNs'] as const;

/** A field as RFC 4180 wants it. */
function field(value: string | number | boolean): string {
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function headings(): string[] {
  const buckets = Array.from(
    { length: LATENCY_BUCKET_COUNT },
    (_, i) => `stalls_from_${latencyBucketStartUs(i)}us`,
  );
  return [
    'key',
    ...AXIS_NAMES,
    'runs',
    'completed',
    'unexpected',
    'guest',
    ...FIGURE_NAMES.flatMap((name) => {
      const column = `${name}_${FIGURES[name].unit.replace('/', '_per_')}`;
      return [`${column}_median`, `${column}_min`, `${column}_max`];
    }),
    ...HOPS.map((name) => `mean_hop_${name}`),
    ...STALL_CAUSE_NAMES.map((name) => `mean_cause_${name}_ns`),
    ...buckets,
  ];
}

function row(summary: CellSummary): (string | number | boolean)[] {
  return [
    summary.key,
    ...AXIS_NAMES.map((name) => summary.cell[name]),
    summary.runs.length,
    summary.completed.length,
    summary.unexpected.length,
    summary.verification,
    ...FIGURE_NAMES.flatMap((name): readonly (string | number)[] => {
      const spread = summary.figures[name];
      return spread === null ? ['', '', ''] : [spread.median, spread.min, spread.max];
    }),
    ...HOPS.map((name) => summary.hops?.[name] ?? ''),
    ...STALL_CAUSE_NAMES.map((name) => summary.causes?.[name] ?? ''),
    ...summary.latencyBuckets,
  ];
}

/** The CSV, with a line of headings. */
export function reportCsv(summaries: readonly CellSummary[]): string {
  return `${[headings(), ...summaries.map(row)].map((fields) => fields.map(field).join(',')).join('\r\n')}\r\n`;
}
