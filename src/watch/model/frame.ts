// The frames of a feed as the page knows them, once they were checked.

/** Which end of the migration a frame tells of. */
export type EndName = 'source' | 'destination';
/** Both ends, in the order in which the guest passes them. */
export const END_NAMES = ['source', 'destination'] as const satisfies readonly EndName[];

/** What each frame has. */
export interface FrameHead {
  /** Counts frames made; a gap is what was dropped for this viewer. */
  readonly seq: number;
  /** Monotonic ns. */
  readonly at: number;
  readonly end: EndName;
}

/** A RAM block of an end's layout; page sizes that are not known yet are 0. */
export interface BlockLayout {
  readonly name: string;
  readonly lengthBytes: number;
  readonly hostPageBytes: number;
  readonly placementPageBytes: number;
}

/** First frame of a run; comes again when the layout or the negotiation changes it. */
export interface HelloFrame extends FrameHead {
  readonly kind: 'hello';
  readonly run: string;
  /** Wall clock in ms when the end began; 0 if it does not say. */
  readonly startedAtMs: number;
  readonly blocks: readonly BlockLayout[];
  readonly vcpus: number;
  readonly control: boolean;
  /** Whether it waits to be told to start. */
  readonly hold: boolean;
  /** Whether it migrates again after a run. */
  readonly repeat: boolean;
  /** `null` if it is not emulated, or this end does not know. */
  readonly link: { readonly bytesPerSecond: number; readonly rttNs: number } | null;
  readonly channels: number;
}

/** States of an end, in the order in which a migration passes them. */
export const END_STATES = [
  'waiting',
  'setup',
  'active',
  'device',
  'postcopy-active',
  'postcopy-paused',
  'completed',
  'failed',
  'cancelled',
] as const;
export type EndState = (typeof END_STATES)[number];

/** An end entered a state. */
export interface StateFrame extends FrameHead {
  readonly kind: 'state';
  readonly state: EndState;
  readonly reason: string;
}

/** Page sizes of a block as agreed; 0 where this end was not told. */
export interface NegotiatedPages {
  readonly name: string;
  readonly sourceHostPageBytes: number;
  readonly destinationHostPageBytes: number;
  readonly placementPageBytes: number;
}

/** What came of the negotiation. */
export interface NegotiationFrame extends FrameHead {
  readonly kind: 'negotiation';
  readonly outcome: 'negotiated' | 'legacy' | 'refused';
  readonly reason: string;
  readonly blocks: readonly NegotiatedPages[];
  readonly amplifiedBytes: number;
}

/** States of some pages of a block, as packed runs: state (u8), how many entries (u32 big-endian). */
export interface PagesFrame extends FrameHead {
  readonly kind: 'pages';
  readonly block: string;
  /** Bytes of RAM that one entry stands for. */
  readonly unitBytes: number;
  readonly first: number;
  readonly full: boolean;
  readonly runs: Uint8Array;
}

/** One vCPU at a moment. */
export interface VcpuSample {
  readonly running: boolean;
  readonly steps: number;
  /** The page it waits for; empty if it waits for none. */
  readonly block: string;
  readonly offset: number;
  /** Since when it stands still, monotonic ns; 0 if it runs. */
  readonly since: number;
}

/** All vCPUs at a moment. */
export interface VcpusFrame extends FrameHead {
  readonly kind: 'vcpus';
  readonly list: readonly VcpuSample[];
}

/** Where the time of a stall went, in ns by hop. */
export const HOPS = ['trap', 'requestWay', 'sourceWait', 'wire', 'restOfPage', 'copy', 'wake'] as const;
export type Hop = (typeof HOPS)[number];

/** One stall of one vCPU, all times monotonic ns; 0 for a hop that did not happen. */
export interface Fault {
  readonly vcpu: number;
  readonly block: string;
  readonly offset: number;
  readonly fault: number;
  readonly requested: number;
  readonly firstByte: number;
  readonly placed: number;
  readonly running: number;
  readonly by: 'push' | 'request';
  readonly causes: Readonly<Record<Hop, number>> | undefined;
}

/** Stalls that ended since the last such frame. */
export interface FaultsFrame extends FrameHead {
  readonly kind: 'faults';
  readonly list: readonly Fault[];
  readonly dropped: number;
}

/** What passed in an interval: bytes, but for the counts of faults and open requests. */
export interface RatesFrame extends FrameHead {
  readonly kind: 'rates';
  readonly intervalNs: number;
  /** Bytes on the wire, of whatever; 0 if it does not say. */
  readonly wire: number;
  readonly background: number;
  readonly urgent: number;
  readonly zero: number;
  readonly precopy: number;
  readonly dirty: number;
  readonly faults: number;
  readonly requestsOpen: number;
  readonly pushPaused: boolean;
}

/** What passed since the run began. */
export interface TotalsFrame extends FrameHead {
  readonly kind: 'totals';
  readonly wire: number;
  readonly requests: number;
  readonly faults: number;
  readonly presentBytes: number;
  readonly totalBytes: number;
}

/** All stalls so far; times in ns, `null` where there is none or it is not known. */
export interface StallsFrame extends FrameHead {
  readonly kind: 'stalls';
  readonly count: number;
  readonly mean: number | null;
  readonly p50: number | null;
  readonly p90: number | null;
  readonly p99: number | null;
  readonly max: number | null;
  readonly sum: number;
  readonly buckets: readonly number[];
  readonly floor: number | null;
}

/** A precopy pass that ended. */
export interface PassFrame extends FrameHead {
  readonly kind: 'pass';
  readonly index: number;
  readonly dirtyBytes: number;
  readonly sentBytes: number;
  readonly remaining: number;
  /** Bytes a second; `null` before it was measured. */
  readonly bandwidth: number | null;
  readonly expectedDowntimeOld: number | null;
  readonly expectedDowntimeNew: number | null;
}

/** A record of the stream as the dissector prints it. */
export interface StreamRecord {
  /** `fwd` to the destination, `ret` from it. */
  readonly direction: string;
  readonly line: string;
}

/** Some of the last records. */
export interface RecordsFrame extends FrameHead {
  readonly kind: 'records';
  readonly list: readonly StreamRecord[];
}

/** How the run ended, from the JSON of docs/result.schema.json. */
export interface ResultFrame extends FrameHead {
  readonly kind: 'result';
  readonly status: string;
  readonly guestVerified: boolean;
  readonly verification: string;
  readonly error: string;
  /** `null` where this end does not see it. */
  readonly downtimeNs: number | null;
  readonly totalNs: number | null;
  readonly guestStoppedNs: number | null;
  readonly guestRunningNs: number | null;
}

/** What came of something that a viewer asked for. */
export interface ControlAnswerFrame extends FrameHead {
  readonly kind: 'control-answer';
  readonly action: string;
  readonly ok: boolean;
  readonly reason: string;
}

/** How the watching process stands to one end. */
export interface JoinedEnd {
  readonly end: EndName;
  readonly url: string;
  readonly isConnected: boolean;
  readonly reason: string;
}

/** The watching process itself tells how it stands to both ends; it is of no end, and not kept in a file. */
export interface WatchFrame {
  readonly kind: 'watch';
  readonly ends: readonly JoinedEnd[];
  readonly control: boolean;
  /** Name of the saved run that is shown; empty for a live one. */
  readonly file: string;
}

/** Any frame of an end. */
export type EndFrame =
  | HelloFrame
  | StateFrame
  | NegotiationFrame
  | PagesFrame
  | VcpusFrame
  | FaultsFrame
  | RatesFrame
  | TotalsFrame
  | StallsFrame
  | PassFrame
  | RecordsFrame
  | ResultFrame
  | ControlAnswerFrame;
/** Any frame. */
export type Frame = EndFrame | WatchFrame;
