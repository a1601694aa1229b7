// One fault of one vCPU with the time of each hop, and the check that such a record makes sense.
import { GuestError } from '../errors.ts';
import type { CausesNs } from './stall-causes.ts';

/** One fault of one vCPU. All times are monotonic ns of the same clock (`monotonicNs`). */
export interface FaultRecord {
  /** Name of the RAM block. */
  readonly block: string;
  /** Index of the placement page within the block. */
  readonly hostPage: number;
  /** Bytes of that page, the unit that is placed at once. */
  readonly pageBytes: number;
  /** Index of the vCPU that stood still. */
  readonly vcpu: number;
  /** When the vCPU first touched the page. */
  readonly faultNs: number;
  /** When this fault's own request had been written to the return path; 0 if another vCPU had already asked, or all had come by then. */
  readonly requestedNs: number;
  /** When the first byte of the page was seen. Before `faultNs` if the page was already in flight when it was touched. */
  readonly firstByteNs: number;
  /** When the last of its bytes were read from the channel, to be decoded. May be before `firstByteNs`, at which they were. */
  readonly lastBytesNs: number;
  /** When the page was marked present. */
  readonly placedNs: number;
  /** When the vCPU ran again. */
  readonly resumedNs: number;
  /** What the vCPU waited for, where that was asked for; a cause that is not named took no time. */
  readonly causesNs?: Partial<CausesNs>;
}

/**
 * Throws unless the times of a fault are in an order that can happen.
 *
 * The vCPU is stopped from `faultNs` to `resumedNs`, and the page is placed in between. The request is written in
 * between too, but may be overtaken by a page that the background push brings. The first byte comes before the placement,
 * but may come before the request and before the fault: the page was in flight already.
 *
 * @throws GuestError `fault-times-disordered` otherwise; such a record is our own bug.
 */
export function checkFaultRecord(fault: FaultRecord): void {
  const { faultNs, requestedNs, firstByteNs, lastBytesNs, placedNs, resumedNs } = fault;
  // Written so that a NaN fails as well.
  const ordered =
    faultNs <= placedNs &&
    placedNs <= resumedNs &&
    firstByteNs <= placedNs &&
    lastBytesNs <= placedNs &&
    (requestedNs === 0 || (faultNs <= requestedNs && requestedNs <= resumedNs));
  if (ordered) return;
  throw new GuestError(
    'fault-times-disordered',
    `expected fault <= placed <= resumed, first byte and last bytes <= placed and fault <= requested <= resumed; found fault ${faultNs}, ` +
      `requested ${requestedNs}, first byte ${firstByteNs}, last bytes ${lastBytesNs}, placed ${placedNs}, resumed ${resumedNs} ns ` +
      `at vCPU ${fault.vcpu}, block ${fault.block}, host page ${fault.hostPage}`,
  );
}
