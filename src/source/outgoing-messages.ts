// What the source's main thread and its migration thread tell each other.
import type { ErrorRecord } from '../errors.ts';
import type { SharedRamImage } from '../machine/ram-block.ts';
import type { SharedVcpuControl } from '../machine/vcpu-control.ts';
import type { Profile } from '../protocol/profile.ts';
import type { RecordLine } from '../protocol/record-lines.ts';
import type { PassEstimate } from '../telemetry/expected-downtime.ts';
import type { PingRecord } from '../telemetry/request-record.ts';
import type { RoundTrips } from '../telemetry/round-trips.ts';
import type { LinkFigures } from '../transport/link.ts';
import type { LinkSpec } from '../transport/link-spec.ts';
import type { ChannelUri } from '../transport/uri.ts';
import type { DeviceSection } from './device-sections.ts';
import type { BlockPlacement } from './negotiation.ts';
import type { OutgoingOptions } from './outgoing.ts';
import type { OutgoingState } from './outgoing-states.ts';
import type { OutgoingCounters } from './outgoing-stream.ts';
import type { PushCounts } from './push/push-phase.ts';
import type { RequestLogData } from './request-log.ts';

/** The devices that leave with the guest: those of a guest of ours, read when its vCPUs have stopped, or recorded ones. */
export type DevicesToSend =
  | { readonly kind: 'guest'; readonly description: Uint8Array }
  | { readonly kind: 'recorded'; readonly sections: readonly DeviceSection[] };

/** What the migration thread is started with. */
export interface OutgoingThreadData {
  readonly uri: ChannelUri;
  readonly ram: SharedRamImage;
  readonly control: SharedVcpuControl;
  readonly devices: DevicesToSend;
  readonly options: OutgoingOptions;
  readonly profile: Profile;
  /** How long the peer may keep us waiting, for a connection, an answer, or room to write. */
  readonly timeoutMs: number;
  /** How long to try again while nobody listens yet; 0 is one attempt. */
  readonly connectTimeoutMs: number;
  /** Bytes per second before the switchover, and for background pages after it; 0 is unlimited. */
  readonly maxBandwidth: number;
  readonly maxPostcopyBandwidth: number;
  /** The link to emulate; undefined takes the one there is. */
  readonly link: LinkSpec | undefined;
  /** New directory to record both directions in; undefined records nothing. */
  readonly recordPath: string | undefined;
  /** What is counted, for who watches; undefined where nobody may. */
  readonly figures: SharedArrayBuffer | undefined;
}

/** What the main thread asks for. */
export type ToOutgoingThread =
  /** Once the guest may be at the destination only `force` cancels. */
  | { readonly kind: 'cancel'; readonly force: boolean }
  /** Goes on to postcopy, if it is in precopy. */
  | { readonly kind: 'switch' }
  | { readonly kind: 'pause-push'; readonly isPaused: boolean }
  /** The emulated link is another from now on. */
  | { readonly kind: 'link'; readonly link: LinkSpec };

/** How an outgoing migration ended. */
export interface OutgoingReport {
  readonly state: OutgoingState;
  readonly hasGivenGuestAway: boolean;
  readonly isNegotiated: boolean;
  readonly placements: readonly BlockPlacement[];
  readonly counters: OutgoingCounters;
  readonly passes: readonly PassEstimate[];
  /** Undefined without postcopy. */
  readonly push: PushCounts | undefined;
  readonly requests: RequestLogData;
  /** Those with the shortest round trips. */
  readonly pings: readonly PingRecord[];
  /** Begin of each phase in monotonic ns. */
  readonly phaseStartsNs: readonly (readonly [string, number])[];
  readonly endNs: number;
  /** When the last vCPU stopped, in monotonic ns; null if none was stopped. */
  readonly guestStoppedNs: number | null;
  readonly bytesPerSecond: number | null;
  readonly peakBytesPerSecond: number | null;
  /** What the emulated link did; undefined without one. */
  readonly link: LinkFigures | undefined;
  readonly roundTrips: RoundTrips;
  readonly error?: ErrorRecord;
}

/** What came since it was told last, of a source that is watched. */
export interface OutgoingNews {
  readonly state: OutgoingState;
  /** Empty until the pages are agreed on. */
  readonly placements: readonly BlockPlacement[];
  readonly isNegotiated: boolean;
  /** Passes that were closed. */
  readonly passes: readonly PassEstimate[];
  /** What came on the return path, as a dissection writes it, and how much of it was left out. */
  readonly lines: readonly RecordLine[];
  readonly skipped: number;
}

/** What the migration thread tells. */
export type ToMain =
  | {
      readonly kind: 'progress';
      readonly phase: string;
      readonly doneBytes: number;
      readonly totalBytes: number;
      readonly wireBytes: number;
    }
  | { readonly kind: 'warn'; readonly message: string }
  | { readonly kind: 'news'; readonly news: OutgoingNews }
  | { readonly kind: 'done'; readonly report: OutgoingReport };
