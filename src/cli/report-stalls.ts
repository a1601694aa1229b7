// The stalls of a result as text. No figure stands without the time that the wire alone needs.

import { printable } from '../protocol/printable.ts';
import { LATENCY_BUCKET_COUNT, latencyBucketStartUs } from '../telemetry/latency-buckets.ts';
import type { TouchResult } from '../telemetry/result.ts';
import type { BlockStalls, StallSummary } from '../telemetry/stalls.ts';
import { formatBytes, formatNs } from './format-quantity.ts';
import { causeLines } from './report-causes.ts';
import { alignColumns } from './text-layout.ts';

const BAR_WIDTH = 40;

/** A stall, marked where it is shorter than the wire alone needs. */
function besideFloor(stallNs: number | null, floorNs: number | null): string {
  const isUnder = stallNs !== null && floorNs !== null && stallNs < floorNs;
  return formatNs(stallNs) + (isUnder ? '!' : '');
}

/** Count × mean = total: a mean never stands alone. */
function product(
  count: number,
  meanNs: number | null,
  totalNs: number,
  floorNs: number | null = null,
): string {
  return `${count} × ${besideFloor(meanNs, floorNs)} = ${formatNs(totalNs)}`;
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

function blockLines(blocks: readonly BlockStalls[]): string[] {
  const rows = [['block', 'page', 'p50', 'p99', 'max', 'wire alone']];
  for (const block of blocks) {
    const { floorNs } = block;
    rows.push([
      printable(block.block),
      formatBytes(block.pageBytes),
      besideFloor(block.p50Ns, floorNs),
      besideFloor(block.p99Ns, floorNs),
      besideFloor(block.maxNs, floorNs),
      floorNs === null ? 'not known' : formatNs(floorNs),
    ]);
  }
  const [header, ...lines] = alignColumns(rows, 24);
  const out = [header!];
  blocks.forEach((block, i) => {
    const { count, floorNs } = block;
    out.push(lines[i]!);
    const alone = floorNs === null ? 'not known' : product(count, floorNs, count * floorNs);
    out.push(`    ${product(count, block.meanNs, block.totalNs, floorNs)}; wire alone ${alone}`);
    if (block.underFloor === 0) return;
    out.push(
      `    ! ${plural(block.underFloor, 'stall')} under the floor (${block.underFloorInFlight} of a page in flight)`,
    );
  });
  return out;
}

/** Floors of the wire for all stalls together: their sum, and the smallest and largest of one page. */
function floorsOf(blocks: readonly BlockStalls[]): { totalNs: number; minNs: number; maxNs: number } | null {
  let [totalNs, minNs, maxNs] = [0, Number.POSITIVE_INFINITY, 0];
  for (const { count, floorNs } of blocks) {
    if (floorNs === null) return null;
    totalNs += count * floorNs;
    minNs = Math.min(minNs, floorNs);
    maxNs = Math.max(maxNs, floorNs);
  }
  return { totalNs, minNs, maxNs };
}

/** The histogram as bars, from the first bucket that is not empty to the last. */
export function histogramLines(buckets: readonly number[]): string[] {
  const first = buckets.findIndex((count) => count > 0);
  if (first < 0) return [];
  const last = buckets.findLastIndex((count) => count > 0);
  const highest = Math.max(...buckets);
  const rows: string[] = [];
  for (let bucket = first; bucket <= last; bucket++) {
    const count = buckets[bucket]!;
    const startNs = latencyBucketStartUs(bucket) * 1000;
    const label =
      bucket === 0
        ? 'under 2 us'
        : `${bucket === LATENCY_BUCKET_COUNT - 1 ? '>=' : 'from'} ${formatNs(startNs)}`;
    // A bucket that holds anything shows at least one mark.
    const bar = '#'.repeat(Math.ceil((count / highest) * BAR_WIDTH));
    rows.push(`${label.padStart(13)} |${bar.padEnd(BAR_WIDTH)}| ${count}`);
  }
  return rows;
}

/** Lines of the summary of the stalls, without indent, at most about 78 columns wide. */
export function stallLines(stalls: StallSummary, touch?: TouchResult): string[] {
  if (touch === undefined) return stallSummaryLines(stalls);
  const seed = touch.seed === null ? '' : ` (seed ${touch.seed})`;
  return [
    `--touch: all RAM in ${touch.order} order${seed}, as if by one more vCPU`,
    ...stallSummaryLines(stalls, touch.vcpu),
  ];
}

function stallSummaryLines(stalls: StallSummary, touchingVcpu?: number): string[] {
  if (stalls.count === 0) return ['none: no vCPU touched a page that was missing'];
  const floors = floorsOf(stalls.perBlock);
  const { hops } = stalls;
  const mark = (stallNs: number | null) => besideFloor(stallNs, floors?.minNs ?? null);
  const onePage =
    floors === null
      ? 'not known, as the rate of the wire is not'
      : floors.minNs === floors.maxNs
        ? formatNs(floors.minNs)
        : `${formatNs(floors.minNs)} to ${formatNs(floors.maxNs)}`;
  const lines = [
    `${product(stalls.count, stalls.meanNs, stalls.totalNs, floors === null ? null : floors.totalNs / stalls.count)} (faults × mean = total); ${plural(stalls.requests, 'request')}`,
    `wire alone ${floors === null ? 'not known' : product(stalls.count, floors.totalNs / stalls.count, floors.totalNs)}`,
    `p50 ${mark(stalls.p50Ns)}  p90 ${mark(stalls.p90Ns)}  p99 ${mark(stalls.p99Ns)}  p99.9 ${mark(stalls.p999Ns)}  max ${mark(stalls.maxNs)}`,
    `    wire alone, one page: ${onePage}`,
    `all vCPUs blocked at once (blocktime): ${formatNs(stalls.blocktimeNs)}`,
    `mean hops: fault ${formatNs(hops.queueNs)} > request ${formatNs(hops.firstByteNs)} > first byte ${formatNs(hops.placeNs)} > placed`,
    `           ${formatNs(hops.resumeNs)} > running`,
    ...causeLines(stalls.causes),
    ...blockLines(stalls.perBlock),
  ];
  const vcpuRows = [['vCPU', 'faults', 'mean', 'total', 'max', 'blocked', 'wire alone']];
  for (const vcpu of stalls.perVcpu) {
    const meanNs = vcpu.count === 0 ? null : vcpu.totalNs / vcpu.count;
    vcpuRows.push([
      vcpu.vcpu === touchingVcpu ? 'touch' : String(vcpu.vcpu),
      `${vcpu.count} ×`,
      `${formatNs(meanNs)} =`,
      besideFloor(vcpu.totalNs, vcpu.floorTotalNs),
      formatNs(vcpu.maxNs),
      formatNs(vcpu.blockedNs),
      vcpu.floorTotalNs === null ? 'not known' : formatNs(vcpu.floorTotalNs),
    ]);
  }
  return [...lines, ...alignColumns(vcpuRows, 8), ...histogramLines(stalls.latencyBuckets)];
}
