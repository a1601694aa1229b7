// The PINGs with the shortest round trips: by them a destination's clock is aligned with ours.
import { PING_LIMIT, type PingRecord } from '../telemetry/request-record.ts';

/** One would do, but which of them a destination has noted too is for it to say. */
const KEPT = 32;

/** Pure: told the time, never asks for it. */
export class PingLog {
  readonly #unanswered = new Map<number, number>();
  #shortest: PingRecord[] = [];
  #sentCount = 0;

  /** A PING leaves, or is about to. */
  sent(value: number, nowNs: number): void {
    if (this.#sentCount >= PING_LIMIT) return;
    this.#sentCount += 1;
    this.#unanswered.set(value, nowNs);
  }

  answered(value: number, nowNs: number): void {
    const sentNs = this.#unanswered.get(value);
    if (sentNs === undefined) return;
    this.#unanswered.delete(value);
    this.#shortest.push({ value, sentNs, answeredNs: nowNs });
    if (this.#shortest.length > KEPT * 2) this.#shortest = this.shortest;
  }

  /** The shortest first. */
  get shortest(): PingRecord[] {
    const byLength = (a: PingRecord, b: PingRecord): number =>
      a.answeredNs - a.sentNs - (b.answeredNs - b.sentNs);
    return this.#shortest.toSorted(byLength).slice(0, KEPT);
  }
}
