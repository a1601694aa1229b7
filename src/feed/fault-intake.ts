// Reads the faults of all threads as they end, counts them all, and lists as many as a tick may tell.
import { FaultLog } from '../telemetry/fault-log.ts';
import type { FaultRecord } from '../telemetry/fault-record.ts';
import type { FaultRing } from '../telemetry/fault-ring.ts';
import { StallHistogram } from '../telemetry/stall-histogram.ts';
import type { FeedBody } from './feed-messages.ts';

/** Faults that one tick lists, of all threads together. */
const LISTED = 256;

type ListedFault = FeedBody<'faults'>['list'][number];

/** Faults of one run. */
export class FaultIntake {
  readonly stalls = new StallHistogram();
  /** Faults that ended so far, with those that were lost. */
  count = 0;
  /** Requests that were written for them. */
  requests = 0;
  /** Sees every fault that was not lost. */
  onFault: (fault: FaultRecord) => void = () => undefined;

  /** Takes what has ended since the last time; undefined if nothing has. */
  take(rings: readonly FaultRing[], blockNames: readonly string[]): FeedBody<'faults'> | undefined {
    const listed: ListedFault[] = [];
    let dropped = 0;
    for (const [vcpu, ring] of rings.entries()) {
      const { lost, ...read } = ring.read();
      this.count += lost + read.count;
      dropped += lost;
      for (const fault of new FaultLog(vcpu, { vcpu, ...read }).toRecords(blockNames)) {
        this.stalls.add(fault.resumedNs - fault.faultNs);
        if (fault.requestedNs > 0) this.requests += 1;
        this.onFault(fault);
        if (listed.length < LISTED) listed.push(listing(fault));
        else dropped += 1;
      }
    }
    return listed.length === 0 && dropped === 0 ? undefined : { list: listed, dropped };
  }
}

/** A page whose first byte came before its own request had been written was under way by itself. */
function listing(fault: FaultRecord): ListedFault {
  const { vcpu, block, hostPage, pageBytes, faultNs, requestedNs, firstByteNs, placedNs, resumedNs } = fault;
  return {
    vcpu,
    block,
    offset: hostPage * pageBytes,
    fault: faultNs,
    requested: requestedNs,
    firstByte: firstByteNs,
    placed: placedNs,
    running: resumedNs,
    by: firstByteNs < (requestedNs || faultNs) ? 'push' : 'request',
  };
}
