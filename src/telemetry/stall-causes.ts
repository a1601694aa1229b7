// Splits a stall by what its vCPU waited for, and sums causes up. Pure.
import type { ClockAlignment } from './clock-alignment.ts';
import type { FaultRecord } from './fault-record.ts';
import { type RequestRecord, SOURCE_WAITS } from './request-record.ts';

/** What a vCPU may wait for, in the order in which it does, in words. */
export const STALL_CAUSES = {
  trap: 'the fault itself, until its request was written',
  request: 'the request, on its way to the source',
  behindPage: 'the rest of a background page, which the source had begun',
  behindRequests: 'pages that others had asked for before',
  behindBackground: 'a batch of background pages that the source was writing',
  behindLimit: 'a bandwidth limit, or the window of what may be under way',
  source: "the source's own work before it began the page",
  behindFlight: 'bytes sent before, which were still under way',
  wire: 'the first 4 KiB of the page, on the wire',
  restOfPage: 'the rest of the page',
  copy: 'the copy to where the page belongs',
  wake: 'the vCPU, to be woken',
  untold: 'the answer to the request: this end cannot tell what it waited for',
} as const;

/** One of `STALL_CAUSES`. */
export type StallCause = keyof typeof STALL_CAUSES;
/** All causes, in their order. */
export const STALL_CAUSE_NAMES = Object.keys(STALL_CAUSES) as StallCause[];
/** Time for each cause, in ns. */
export type CausesNs = Record<StallCause, number>;

/** Of all stalls together. */
export interface StallCauses {
  /** What went to each cause; all together they are the total of the stalls. */
  readonly totalsNs: Readonly<CausesNs>;
  /** The same as shares of that total; `null` without any stall. */
  readonly shares: Readonly<CausesNs> | null;
  /** How the clocks of both ends were aligned; `null` where only one end was asked. */
  readonly clock: ClockAlignment | null;
  /** Stalls whose request the source told of. */
  readonly toldCount: number;
  /** Those of them for which a time of the source had to be moved, to be after its cause and before its effect. */
  readonly clippedCount: number;
  /** The farthest that one was moved. */
  readonly clippedMaxNs: number;
}

/** What both ends together know of a fault: the request by the destination's clock, and when it can have begun. */
export interface ToldRequest {
  readonly arrivedNs: number;
  /** 0 if the page had been sent by then. */
  readonly takenNs: number;
  readonly waitsNs: RequestRecord['waitsNs'];
  /** No request can have come before somebody faulted on its page. */
  readonly firstFaultNs: number;
}

/** A stall, split. */
export interface SplitStall {
  readonly causesNs: CausesNs;
  /** How far a time of the source had to be moved. */
  readonly clippedNs: number;
}

const ONE_RECORD_BYTES = 4096;

function noCauses(): CausesNs {
  return Object.fromEntries(STALL_CAUSE_NAMES.map((name) => [name, 0])) as CausesNs;
}

function between(least: number, value: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}

/**
 * Splits one stall. Moments that another one overtook are moved, so no part is negative, and all together are the stall
 * to the ns. Without `told` what the source did is not known. `wireNs` is what the first 4 KiB of a page take at least.
 */
export function splitStall(fault: FaultRecord, told?: ToldRequest, wireNs = 0): SplitStall {
  const { faultNs, requestedNs, firstByteNs, lastBytesNs, placedNs, resumedNs, pageBytes } = fault;
  const askedNs = requestedNs === 0 ? faultNs : Math.min(requestedNs, placedNs);
  const beginNs = Math.max(askedNs, firstByteNs);
  const hereNs = between(beginNs, lastBytesNs, placedNs);
  const causesNs = noCauses();
  causesNs.trap = askedNs - faultNs;
  causesNs.copy = placedNs - hereNs;
  causesNs.wake = resumedNs - placedNs;
  // A page of one record has no rest: all of it is on the wire at once.
  const isOneRecord = pageBytes <= ONE_RECORD_BYTES;
  const transitEndNs = isOneRecord ? hereNs : beginNs;
  causesNs.restOfPage = hereNs - transitEndNs;
  // A page that was in flight before it was asked for had nothing to wait for but itself.
  if (beginNs === askedNs) {
    causesNs.wire = transitEndNs - askedNs;
    return { causesNs, clippedNs: 0 };
  }
  if (told === undefined) {
    causesNs.untold = transitEndNs - askedNs;
    return { causesNs, clippedNs: 0 };
  }
  if (told.takenNs === 0) {
    causesNs.behindFlight = transitEndNs - askedNs;
    return { causesNs, clippedNs: Math.max(0, told.firstFaultNs - told.arrivedNs) };
  }
  const arrivedNs = between(askedNs, told.arrivedNs, beginNs);
  const takenNs = between(arrivedNs, told.takenNs, beginNs);
  causesNs.request = arrivedNs - askedNs;
  let leftNs = takenNs - arrivedNs;
  for (const name of SOURCE_WAITS) {
    causesNs[name] = Math.min(leftNs, Math.round(told.waitsNs[name]));
    leftNs -= causesNs[name];
  }
  causesNs.source = leftNs;
  const transitNs = transitEndNs - takenNs;
  causesNs.wire = Math.min(transitNs, wireNs);
  causesNs.behindFlight = transitNs - causesNs.wire;
  const clippedNs = Math.max(0, told.firstFaultNs - told.arrivedNs, told.takenNs - firstByteNs);
  return { causesNs, clippedNs };
}

/** Adds split stalls up. */
export class CauseSum {
  readonly #totalsNs = noCauses();
  #toldCount = 0;
  #clippedCount = 0;
  #clippedMaxNs = 0;

  add({ causesNs, clippedNs }: SplitStall, isTold: boolean): void {
    for (const name of STALL_CAUSE_NAMES) this.#totalsNs[name] += causesNs[name];
    if (isTold) this.#toldCount += 1;
    if (clippedNs > 0) this.#clippedCount += 1;
    this.#clippedMaxNs = Math.max(this.#clippedMaxNs, clippedNs);
  }

  /** The sums. `clock` is what aligned the source's times. */
  result(clock: ClockAlignment | null): StallCauses {
    const totalsNs = { ...this.#totalsNs };
    const totalNs = STALL_CAUSE_NAMES.reduce((sum, name) => sum + totalsNs[name], 0);
    const shares = noCauses();
    for (const name of STALL_CAUSE_NAMES) shares[name] = totalsNs[name] / totalNs;
    return {
      totalsNs,
      shares: totalNs === 0 ? null : shares,
      clock,
      toldCount: this.#toldCount,
      clippedCount: this.#clippedCount,
      clippedMaxNs: this.#clippedMaxNs,
    };
  }
}

/** Sums up what a destination can tell by itself. */
export function causesSeenHere(faults: readonly FaultRecord[]): StallCauses {
  const sum = new CauseSum();
  for (const fault of faults) sum.add(splitStall(fault), false);
  return sum.result(null);
}

/** The causes that took any time, for a list of faults that names no others. */
export function causesThatTook(causesNs: CausesNs): Partial<CausesNs> {
  return Object.fromEntries(Object.entries(causesNs).filter(([, ns]) => ns > 0)) as Partial<CausesNs>;
}
