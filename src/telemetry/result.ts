// The result of a migration as each command gives it with --json; docs/result.schema.json says the same to others.
import type { ErrorRecord } from '../errors.ts';
import type { Calibration } from './calibrate.ts';
import type { PassEstimate } from './expected-downtime.ts';
import type { LinkResult } from './link-result.ts';
import type { PagesOverTime } from './pages-over-time.ts';
import type { PushResult } from './push-result.ts';
import type { PongRecord, RequestsResult } from './request-record.ts';
import type { FaultRecord, StallSummary } from './stalls.ts';

/** How a migration ended. Success without `guestVerified` is not success. */
export type MigrationStatus = 'completed' | 'failed' | 'cancelled' | 'postcopy-paused';

/** Page sizes of one RAM block, as agreed. */
export interface NegotiatedBlock {
  readonly block: string;
  /** Host page at the source; `null` where this end was not told. */
  readonly sourceHostPageBytes: number | null;
  /** Host page at the destination; `null` where this end was not told. */
  readonly destinationHostPageBytes: number | null;
  /** Unit that the destination places at once; `null` if the migration was refused before it was agreed. */
  readonly placementPageBytes: number | null;
}

/** Target pages that passed; `null` where this end cannot know. */
export interface PageCounts {
  /** Sent before the switchover. */
  readonly precopy: number | null;
  /** Sent after it, unasked. */
  readonly postcopyBackground: number | null;
  /** Sent because a vCPU waited. */
  readonly requested: number | null;
  /** Of all these, sent as a zero page. */
  readonly zero: number | null;
  /** Arrived for a host page that was present already, and dropped. */
  readonly duplicate: number | null;
}

/** Bytes; `null` where this end cannot know. */
export interface ByteCounts {
  /** All bytes on the wire from source to destination, on all channels. */
  readonly wire: number | null;
  /** Memory that the source told the destination to discard. */
  readonly discarded: number | null;
  /** Of these, bytes that had been sent and were clean: the price of rounding to placement pages. */
  readonly amplified: number | null;
}

/** Durations in ns. */
export interface ResultTimes {
  readonly totalNs: number;
  /** Last source vCPU stopped to first destination vCPU running; `null` where this end cannot know. */
  readonly downtimeNs: number | null;
  /** Duration of each phase by its name, in the order in which they came. */
  readonly phases: Readonly<Record<string, number>>;
}

/** Achieved rate of the wire, from which the floors of the stalls are computed. */
export interface WireResult {
  /** Mean over the whole migration; `null` if not measured. */
  readonly bytesPerSecond: number | null;
  /** Highest over a window of about 50 ms; `null` if not measured. */
  readonly peakBytesPerSecond: number | null;
  /** What the link was: loopback, shaped to a rate, and by what means. */
  readonly note: string;
}

/**
 * Moments of the switchover in monotonic ns since the machine booted; `null` where this end does not see them. Those of
 * two processes on one machine can be compared, and their difference is the downtime.
 */
export interface ResultMarks {
  /** When the last vCPU stopped at the source. */
  readonly guestStoppedNs: number | null;
  /** When the first vCPU ran at the destination. */
  readonly guestRunningNs: number | null;
}

/** A guest that stayed at the source, because its migration did not complete. */
export interface GuestAtSource {
  /** True only after its RAM was hashed and equals that of the same guest that nobody tried to migrate. */
  readonly isProved: boolean;
  /** Why `isProved` is what it is, in words. */
  readonly verdict: string;
  /** Memory accesses of all vCPUs since the migration ended. */
  readonly accessesSince: number;
}

/** Collapses into pages of one size. */
export interface CollapseCounts {
  /** Pages whose last piece came after the switchover, and which were collapsed into one then. */
  readonly count: number;
  /** What the collapses took, all and the longest. */
  readonly totalNs: number;
  readonly maxNs: number;
  /** For how long these pages were in pieces, all together and the longest: from the first piece after the switchover to the last. */
  readonly inPiecesTotalNs: number;
  readonly inPiecesMaxNs: number;
  /** Pages that were still in pieces at the end. */
  readonly brokenCount: number;
}

/** Host pages of a destination that places them in pieces. */
export interface CollapseResult extends CollapseCounts {
  /** The sizes in between that pieces were collapsed into first, in ascending order; empty without such. */
  readonly steps: readonly (CollapseCounts & { readonly pageBytes: number })[];
}

/** What touched all RAM in postcopy, where that was asked for. */
export interface TouchResult {
  readonly order: 'ascending' | 'descending' | 'random';
  /** Seed of the random order; `null` for the others. */
  readonly seed: number | null;
  /** Under this index its faults are listed: as if by one more vCPU, the last one. */
  readonly vcpu: number;
}

/** The guest at the end of the run. */
export interface GuestResult {
  /** MMU that its rules follow, `radix` or `hash`; `null` where this end was not told. */
  readonly mmu: string | null;
  /** The largest page that the guest was told it may use; `null` where this end was not told. */
  readonly largestPageBytes: number | null;
  /** `count` is the number of memory accesses that the vCPU has done since its start, at both ends together. */
  readonly vcpus: readonly { readonly index: number; readonly program: string; readonly count: number }[];
}

/** Result of one end of a migration. */
export interface MigrationResult {
  readonly status: MigrationStatus;
  readonly role: 'source' | 'destination' | 'demo';
  /** True only after the final RAM was hashed and equals that of the same guest run without migration. */
  readonly guestVerified: boolean;
  /** Why `guestVerified` is what it is, in words. */
  readonly guestVerification: string;
  /** SHA-256 of the final RAM, 64 hex digits by block name. Empty if it was not hashed. */
  readonly ramSha256: Readonly<Record<string, string>>;
  readonly negotiated: readonly NegotiatedBlock[];
  readonly pages: PageCounts;
  readonly bytes: ByteCounts;
  readonly times: ResultTimes;
  /** Precopy passes. Empty at a destination, which knows nothing of them. */
  readonly passes: readonly PassEstimate[];
  /** `null` if it never came to postcopy. */
  readonly push: PushResult | null;
  /** `null` at a source, where no vCPU waits for pages. */
  readonly stalls: StallSummary | null;
  /** Only at a destination that places host pages in pieces. */
  readonly collapses?: CollapseResult;
  /** Only at a destination that learned of the RAM. */
  readonly pagesOverTime?: PagesOverTime;
  /** Only at a destination that was told to touch all RAM. */
  readonly touch?: TouchResult;
  /** Each fault, in order of time, where they were asked for. */
  readonly faults?: readonly FaultRecord[];
  /** When the first PINGs were answered, beside the faults: by them the source's clock is aligned. */
  readonly pongs?: readonly PongRecord[];
  /** Only of a source, where they were asked for. */
  readonly requests?: RequestsResult;
  /** `null` if it was not calibrated. */
  readonly machinery: Calibration | null;
  readonly wire: WireResult;
  /** Only of a source that emulated a link, and its demo. */
  readonly link?: LinkResult;
  readonly marks: ResultMarks;
  /** `null` if the guest left, or this end does not see it. */
  readonly guestAtSource: GuestAtSource | null;
  /** Why the migration did not complete. */
  readonly error?: ErrorRecord;
  /** `null` if this end never learned of a guest. */
  readonly guest: GuestResult | null;
}

/** One migration of a demo. */
export interface DemoStep {
  readonly name: string;
  /** What should happen, in words. */
  readonly expectation: string;
  /** Whether it did. */
  readonly met: boolean;
  /** Results of the two processes; `null` for one that ended without a result. */
  readonly source: MigrationResult | null;
  readonly destination: MigrationResult | null;
}

/** Result of `demo`: the figures of its last step as seen from both ends, and the steps. */
export interface DemoResult extends MigrationResult {
  readonly role: 'demo';
  readonly scenario: string;
  readonly steps: readonly DemoStep[];
}
