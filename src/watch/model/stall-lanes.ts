// The stalls of each vCPU in order of time, and what share of any interval it stood still.
import { type Fault, HOPS, type Hop } from './frame.ts';

/** Stalls kept for one vCPU; beyond it the oldest are forgotten. */
const MOST_STALLS = 40_000;
/** A stall that ended so long before another that is known already is not put in its place any more. */
const MOST_DISORDER = 256;

/** What a stall is coloured by: a hop, or how the page came where the hops are not known. */
export type Cause = Hop | 'request' | 'push';

/** The hop that took most of a stall. */
export function causeOf(fault: Fault): Cause {
  const { causes } = fault;
  if (causes === undefined) return fault.by;
  let cause: Hop = 'trap';
  for (const hop of HOPS) if (causes[hop] > causes[cause]) cause = hop;
  return causes[cause] === 0 ? fault.by : cause;
}

/** A hop of a stall as a person is told of it, with what it took; from times alone where causes are not known. */
export interface StallPart {
  readonly cause: Cause | 'asked' | 'came';
  readonly ns: number;
}

/** The parts of a stall in order; they add up to it where the feed tells all. */
export function partsOf(fault: Fault): StallPart[] {
  const { causes } = fault;
  if (causes !== undefined) return HOPS.map((hop) => ({ cause: hop, ns: causes[hop] }));
  const asked = fault.requested > 0 ? Math.min(fault.requested, fault.placed) : fault.fault;
  const first = Math.min(Math.max(fault.firstByte, asked), fault.placed);
  return [
    { cause: 'trap', ns: asked - fault.fault },
    { cause: 'asked', ns: first - asked },
    { cause: 'came', ns: fault.placed - first },
    { cause: 'wake', ns: fault.running - fault.placed },
  ];
}

/** Stalls of one vCPU. They never overlap, for a vCPU stands still for one page at a time. */
export class StallLane {
  readonly stalls: Fault[] = [];
  /** Time stood still before each stall, since the first that is kept. */
  readonly #before: number[] = [];

  /** Takes a stall; returns false for one that cannot be. */
  take(fault: Fault): boolean {
    if (!(fault.fault <= fault.placed && fault.placed <= fault.running)) return false;
    const last = this.stalls.at(-1);
    if (last !== undefined && last.running > fault.fault) return this.#insert(fault);
    this.#before.push(last === undefined ? 0 : this.#before.at(-1)! + last.running - last.fault);
    this.stalls.push(fault);
    if (this.stalls.length > MOST_STALLS) {
      this.stalls.splice(0, MOST_STALLS / 4);
      this.#before.splice(0, MOST_STALLS / 4);
    }
    return true;
  }

  /** Puts in a stall that was told of late, if it has room between others. */
  #insert(fault: Fault): boolean {
    const index = this.indexAt(fault.fault) + 1;
    const [earlier, later] = [this.stalls[index - 1], this.stalls[index]];
    if (this.stalls.length - index > MOST_DISORDER || later === undefined) return false;
    if ((earlier !== undefined && earlier.running > fault.fault) || later.fault < fault.running) return false;
    const before = this.#before[index]!;
    this.stalls.splice(index, 0, fault);
    this.#before.splice(index, 0, before);
    for (let i = index + 1; i < this.#before.length; i += 1) this.#before[i]! += fault.running - fault.fault;
    return true;
  }

  /** Index of the last stall that began at or before `at`; -1 if there is none. */
  indexAt(at: number): number {
    let low = 0;
    let high = this.stalls.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.stalls[middle]!.fault <= at) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  /** Time stood still until `at`, since the first stall that is kept. */
  #stoodUntil(at: number): number {
    const index = this.indexAt(at);
    if (index < 0) return 0;
    const stall = this.stalls[index]!;
    return this.#before[index]! + Math.min(at, stall.running) - stall.fault;
  }

  /** What share of an interval it stood still, 0 to 1. */
  standingShare(from: number, to: number): number {
    return to > from ? (this.#stoodUntil(to) - this.#stoodUntil(from)) / (to - from) : 0;
  }

  /** A stall that tells the cause of an interval: the longest of the first few that touch it. */
  mainStall(from: number, to: number): Fault | undefined {
    let found: Fault | undefined;
    const start = Math.max(0, this.indexAt(from));
    for (let i = start; i < this.stalls.length && i < start + 24; i += 1) {
      const stall = this.stalls[i]!;
      if (stall.fault > to) break;
      if (stall.running < from) continue;
      if (found === undefined || stall.running - stall.fault > found.running - found.fault) found = stall;
    }
    return found;
  }
}
