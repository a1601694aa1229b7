// What the destination's main thread and its migration thread tell each other.
import type { ErrorRecord } from '../errors.ts';
import type { RamBlockSpec, SharedRamImage } from '../machine/ram-block.ts';
import type { Profile } from '../protocol/profile.ts';
import type { RecordLine } from '../protocol/record-lines.ts';
import type { PagesOverTime } from '../telemetry/pages-over-time.ts';
import type { PongRecord } from '../telemetry/request-record.ts';
import type { CollapseResult } from '../telemetry/result.ts';
import type { ChannelUri } from '../transport/uri.ts';
import type { SharedFaultBoard } from './fault-board.ts';
import type { LoadItem } from './incoming-effects.ts';
import type { CollapseStep } from './ram-tally.ts';

/** Where the stream comes from: a source that connects, or recorded files. */
export type IncomingOrigin =
  | { readonly kind: 'listen'; readonly uri: ChannelUri }
  | { readonly kind: 'replay'; readonly mainPath: string; readonly preemptPath: string | undefined };

/** How to receive a stream. */
export interface ReceiveOptions {
  readonly origin: IncomingOrigin;
  readonly profile: Profile;
  /** Local machine type; undefined accepts any. */
  readonly machine: string | undefined;
  /** Host page in bytes of blocks that are not named. */
  readonly hostPageBytes: number;
  readonly hostPageByName: ReadonlyMap<string, number>;
  /** In which pieces larger host pages are placed, in bytes; undefined places each as a whole. */
  readonly placementBytes: number | undefined;
  /** How long the collapse of a host page that was placed in pieces is to take, in ns. */
  readonly collapseNs: number;
  /** Sizes that its pieces are collapsed into before, in ascending order; without it none. */
  readonly collapseSteps?: readonly CollapseStep[];
  /** The whole layout; undefined learns it from the stream. */
  readonly layout: readonly RamBlockSpec[] | undefined;
  /** Whether the kernel is to commit all RAM when it is made: at once with a given layout, else at the RAM list. */
  readonly preallocates: boolean;
  /** Whether devices that we cannot load are kept unread instead of refused. */
  readonly acceptsUnknownDevices: boolean;
  /** Whether to answer host page negotiation. */
  readonly negotiate: boolean;
  /** Whether a second channel brings requested pages. */
  readonly preempt: boolean;
  /** How long a connected source may be silent. */
  readonly timeoutMs: number;
  /** Whether somebody may watch: then what is shown to them is kept in shared memory. */
  readonly isWatched?: boolean;
  /** New directory to record both directions in; undefined records nothing. */
  readonly recordPath: string | undefined;
}

/** What the migration thread is started with. */
export interface IncomingThreadData {
  readonly options: ReceiveOptions;
  readonly cell: SharedArrayBuffer;
  readonly board: SharedFaultBoard;
  readonly port: SharedArrayBuffer;
  /** Undefined where nobody may watch. */
  readonly figures: SharedArrayBuffer | undefined;
}

/** What the main thread tells. */
export type ToIncomingThread =
  | { readonly kind: 'guest-running' }
  | { readonly kind: 'reply'; readonly bytes: Uint8Array }
  | { readonly kind: 'fail'; readonly error: ErrorRecord };

/** How an incoming migration ended, as its channels saw it. */
export interface IncomingReport {
  readonly status: 'completed' | 'failed' | 'postcopy-paused';
  readonly isNegotiated: boolean;
  readonly pages: {
    readonly precopy: number;
    readonly background: number;
    readonly requested: number;
    readonly zero: number;
    readonly duplicate: number;
    readonly discarded: number;
  };
  /** By block: a bit for each host page that came in postcopy while nobody waited for it. */
  readonly pushed: readonly SharedArrayBuffer[];
  /** Host pages that were placed in pieces; undefined where each is placed as a whole. */
  readonly collapses?: CollapseResult;
  /** When the first PINGs were answered. */
  readonly pongs: readonly PongRecord[];
  /** Undefined if no RAM list ever came. */
  readonly pagesOverTime?: PagesOverTime;
  readonly wireBytes: number;
  readonly connectedNs: number;
  /** When LISTEN was processed, in monotonic ns; null if it never was. */
  readonly listenNs: number | null;
  readonly endNs: number;
  readonly bytesPerSecond: number | null;
  readonly peakBytesPerSecond: number | null;
  /** All that was sent on the return path, in a replay. */
  readonly replies?: Uint8Array;
  readonly error?: ErrorRecord;
}

/** What the migration thread tells. */
export type ToMain =
  | { readonly kind: 'listening'; readonly uri: string }
  | { readonly kind: 'connected'; readonly peer: string }
  | { readonly kind: 'ram'; readonly ram: SharedRamImage; readonly isNegotiated: boolean }
  | { readonly kind: 'load'; readonly items: readonly LoadItem[] }
  | { readonly kind: 'warn'; readonly message: string }
  | { readonly kind: 'records'; readonly lines: readonly RecordLine[]; readonly skipped: number }
  | {
      readonly kind: 'progress';
      readonly phase: string;
      readonly doneBytes: number;
      readonly totalBytes: number;
      readonly wireBytes: number;
    }
  | { readonly kind: 'done'; readonly report: IncomingReport };
