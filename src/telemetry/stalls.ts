// Summarises the stalls of a migration: how long vCPUs stood still for pages, beside what the wire alone needs.
import { GuestError } from '../errors.ts';
import { overlappedBlocktimeNs } from './blocktime.ts';
import { checkFaultRecord, type FaultRecord } from './fault-record.ts';
import { LATENCY_BUCKET_COUNT, latencyBucket } from './latency-buckets.ts';
import { nearestRank } from './percentile.ts';
import { causesSeenHere, type StallCauses } from './stall-causes.ts';

export type { FaultRecord } from './fault-record.ts';

/** Stalls of one vCPU. */
export interface VcpuStalls {
  readonly vcpu: number;
  readonly count: number;
  /** Sum of its stalls, fault to running again. */
  readonly totalNs: number;
  /** Its block time as QEMU counts it (M5): sum of fault to placement. */
  readonly blockedNs: number;
  /** `null` if it never faulted. */
  readonly maxNs: number | null;
  /** Time that the wire alone needs for the pages it waited for, one after the other; `null` if its rate is not known. */
  readonly floorTotalNs: number | null;
}

/** Stalls for pages of one RAM block. */
export interface BlockStalls {
  readonly block: string;
  readonly pageBytes: number;
  /** At least 1: a block without faults is not listed. */
  readonly count: number;
  readonly meanNs: number;
  readonly p50Ns: number;
  readonly p99Ns: number;
  readonly maxNs: number;
  readonly totalNs: number;
  /** Time that the wire alone needs for one such page; `null` if the rate of the wire is not known. */
  readonly floorNs: number | null;
  /** How many stalls were shorter than the floor. Not by itself wrong: see `underFloorInFlight`, and zero pages are short on the wire. */
  readonly underFloor: number;
  /** How many of these waited only for the rest of a page whose first byte had come before the fault. */
  readonly underFloorInFlight: number;
}

/** The mean stall cut into its hops. The four add up to the mean stall. */
export interface StallHops {
  /** Fault to request written. Nothing for a fault that another vCPU had already asked for. */
  readonly queueNs: number | null;
  /** Request (or fault, where another vCPU had asked) to first byte of the page. Nothing for a page in flight already. */
  readonly firstByteNs: number | null;
  /** First byte, or fault if that is later, to page present. */
  readonly placeNs: number | null;
  /** Page present to vCPU running again. */
  readonly resumeNs: number | null;
}

/** Summary of all stalls of a migration. A stall lasts from the first touch until the vCPU runs again. */
export interface StallSummary {
  readonly count: number;
  /** How many faults wrote a request of their own. */
  readonly requests: number;
  /** Mean and percentiles (nearest rank) are `null` without faults. */
  readonly meanNs: number | null;
  readonly p50Ns: number | null;
  readonly p90Ns: number | null;
  readonly p99Ns: number | null;
  readonly p999Ns: number | null;
  readonly maxNs: number | null;
  readonly totalNs: number;
  /** One for each vCPU of the guest, in order. */
  readonly perVcpu: readonly VcpuStalls[];
  /** Time during which all vCPUs were blocked at once (M5). */
  readonly blocktimeNs: number;
  /** 24 counts, bucket N covering [2^N, 2^(N+1)) us, clamped at both ends (M6). */
  readonly latencyBuckets: readonly number[];
  /** One for each block and page size that faulted, in order of first appearance. */
  readonly perBlock: readonly BlockStalls[];
  readonly hops: StallHops;
  /** What the vCPUs waited for. */
  readonly causes: StallCauses;
}

/** What a summary needs to know beside the faults. */
export interface StallOptions {
  readonly vcpuCount: number;
  /** Time in ns that the wire alone needs for a page of so many bytes; `undefined` if the rate is not known. */
  readonly floorNs: (pageBytes: number) => number | undefined;
}

/** Indices of those faults that satisfy some grouping, by group. */
function groupIndices<K>(faults: readonly FaultRecord[], keyOf: (fault: FaultRecord) => K): Map<K, number[]> {
  const groups = new Map<K, number[]>();
  for (let i = 0; i < faults.length; i++) {
    const key = keyOf(faults[i]!);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [i]);
    else group.push(i);
  }
  return groups;
}

function sum(values: Float64Array): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}

function summariseVcpu(
  vcpu: number,
  faults: readonly FaultRecord[],
  indices: readonly number[],
  floorNs: StallOptions['floorNs'],
): VcpuStalls {
  const begins = Float64Array.from(indices, (i) => faults[i]!.faultNs).sort();
  const ends = Float64Array.from(indices, (i) => faults[i]!.resumedNs).sort();
  // Sorted apart, the k-th end comes before the (k+1)-th begin exactly if no two of the intervals overlap.
  for (let k = 1; k < begins.length; k++) {
    if (begins[k]! >= ends[k - 1]!) continue;
    throw new GuestError(
      'fault-overlap',
      `expected vCPU ${vcpu} to run before it faults again; found a fault at ${begins[k]} ns while it stood still until ${ends[k - 1]} ns`,
    );
  }
  let blockedNs = 0;
  let totalNs = 0;
  let maxNs: number | null = null;
  let floorTotalNs: number | null = 0;
  for (const i of indices) {
    const fault = faults[i]!;
    const stallNs = fault.resumedNs - fault.faultNs;
    blockedNs += fault.placedNs - fault.faultNs;
    totalNs += stallNs;
    maxNs = Math.max(maxNs ?? 0, stallNs);
    const pageFloorNs = floorNs(fault.pageBytes);
    floorTotalNs = floorTotalNs === null || pageFloorNs === undefined ? null : floorTotalNs + pageFloorNs;
  }
  return { vcpu, count: indices.length, totalNs, blockedNs, maxNs, floorTotalNs };
}

function summariseBlock(
  faults: readonly FaultRecord[],
  indices: readonly number[],
  floorNs: number | undefined,
): BlockStalls {
  const { block, pageBytes } = faults[indices[0]!]!;
  const sorted = Float64Array.from(indices, (i) => faults[i]!.resumedNs - faults[i]!.faultNs).sort();
  let underFloor = 0;
  let underFloorInFlight = 0;
  for (const i of indices) {
    const fault = faults[i]!;
    if (floorNs === undefined || fault.resumedNs - fault.faultNs >= floorNs) continue;
    underFloor++;
    if (fault.firstByteNs < fault.faultNs) underFloorInFlight++;
  }
  const totalNs = sum(sorted);
  return {
    block,
    pageBytes,
    count: sorted.length,
    meanNs: totalNs / sorted.length,
    p50Ns: nearestRank(sorted, 500)!,
    p99Ns: nearestRank(sorted, 990)!,
    maxNs: nearestRank(sorted, 1000)!,
    totalNs,
    floorNs: floorNs ?? null,
    underFloor,
    underFloorInFlight,
  };
}

function meanHops(faults: readonly FaultRecord[]): StallHops {
  const count = faults.length;
  if (count === 0) return { queueNs: null, firstByteNs: null, placeNs: null, resumeNs: null };
  let [queueNs, firstByteNs, placeNs, resumeNs] = [0, 0, 0, 0];
  for (const fault of faults) {
    // A hop that another one overtook counts as nothing, so that the four always add up to the stall.
    const askedNs = fault.requestedNs === 0 ? fault.faultNs : Math.min(fault.requestedNs, fault.placedNs);
    const arrivingNs = Math.max(askedNs, fault.firstByteNs);
    queueNs += askedNs - fault.faultNs;
    firstByteNs += arrivingNs - askedNs;
    placeNs += fault.placedNs - arrivingNs;
    resumeNs += fault.resumedNs - fault.placedNs;
  }
  return {
    queueNs: queueNs / count,
    firstByteNs: firstByteNs / count,
    placeNs: placeNs / count,
    resumeNs: resumeNs / count,
  };
}

/**
 * Summarises faults, given in any order. Pure. A million faults take about two seconds.
 *
 * @throws GuestError `fault-times-disordered`, `fault-overlap` (one vCPU in two faults at once) or
 * `fault-vcpu-unknown` (index not below `vcpuCount`): each of them is our own bug.
 */
export function summariseStalls(faults: readonly FaultRecord[], options: StallOptions): StallSummary {
  const { vcpuCount, floorNs } = options;
  const latencyBuckets = new Array<number>(LATENCY_BUCKET_COUNT).fill(0);
  const stallsNs = new Float64Array(faults.length);
  let requests = 0;
  faults.forEach((fault, i) => {
    checkFaultRecord(fault);
    if (!(fault.vcpu >= 0 && fault.vcpu < vcpuCount)) {
      throw new GuestError(
        'fault-vcpu-unknown',
        `expected a vCPU below ${vcpuCount}; found a fault of vCPU ${fault.vcpu} in block ${fault.block}`,
      );
    }
    const stallNs = fault.resumedNs - fault.faultNs;
    stallsNs[i] = stallNs;
    const bucket = latencyBucket(stallNs);
    latencyBuckets[bucket] = latencyBuckets[bucket]! + 1;
    if (fault.requestedNs !== 0) requests++;
  });
  stallsNs.sort();

  const byVcpu = groupIndices(faults, (fault) => fault.vcpu);
  const byPage = groupIndices(faults, (fault) => `${fault.pageBytes} ${fault.block}`);
  const totalNs = sum(stallsNs);
  return {
    count: faults.length,
    requests,
    meanNs: faults.length === 0 ? null : totalNs / faults.length,
    p50Ns: nearestRank(stallsNs, 500),
    p90Ns: nearestRank(stallsNs, 900),
    p99Ns: nearestRank(stallsNs, 990),
    p999Ns: nearestRank(stallsNs, 999),
    maxNs: nearestRank(stallsNs, 1000),
    totalNs,
    perVcpu: Array.from({ length: vcpuCount }, (_, vcpu) =>
      summariseVcpu(vcpu, faults, byVcpu.get(vcpu) ?? [], floorNs),
    ),
    blocktimeNs: overlappedBlocktimeNs(
      Float64Array.from(faults, (fault) => fault.faultNs),
      Float64Array.from(faults, (fault) => fault.placedNs),
      vcpuCount,
    ),
    latencyBuckets,
    perBlock: Array.from(byPage.values(), (indices) =>
      summariseBlock(faults, indices, floorNs(faults[indices[0]!]!.pageBytes)),
    ),
    hops: meanHops(faults),
    causes: causesSeenHere(faults),
  };
}
