// What passed on the wire, by why it was sent: an end counts a page when all of it has passed, which for a large one is late.
import type { RatesFrame } from './frame.ts';

/** Bytes of one interval. */
export interface Throughput {
  readonly at: number;
  readonly intervalNs: number;
  readonly precopy: number;
  readonly background: number;
  readonly urgent: number;
  /** Of pages that are not complete yet, so nobody has said why they were sent. */
  readonly underWay: number;
}

/** All bytes of an interval. */
export function bytesOf({ wire, precopy, background, urgent }: RatesFrame): number {
  return wire > 0 ? wire : precopy + background + urgent;
}

/** Gives the bytes of each interval to why they were sent, those of large pages as soon as they were counted. */
export function attributeBytes(rates: readonly RatesFrame[]): Throughput[] {
  const items: Throughput[] = [];
  let waiting = 0;
  for (const frame of rates) {
    const { at, intervalNs, precopy, background, urgent } = frame;
    const counted = precopy + background + urgent;
    items.push({ at, intervalNs, precopy: 0, background: 0, urgent: 0, underWay: bytesOf(frame) });
    waiting += 1;
    if (counted === 0) continue;
    for (let i = items.length - waiting; i < items.length; i += 1) {
      const share = items[i]!.underWay / counted;
      items[i] = {
        ...items[i]!,
        precopy: precopy * share,
        background: background * share,
        urgent: urgent * share,
        underWay: 0,
      };
    }
    waiting = 0;
  }
  return items;
}
