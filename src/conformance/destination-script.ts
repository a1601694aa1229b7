// What a scripted destination does in one run of a source, as data.
import type { RamAsReceived } from './ram-as-received.ts';
import type { RequestPlan } from './request-plan.ts';
import type { Subject } from './subject.ts';

/**
 * How the source has to be started: `postcopy` so that postcopy begins by itself with pages left to send; the others
 * need a command of their own, and what needs one that nobody gave is not run.
 */
export const SOURCE_STARTS = {
  postcopy: 'switches to postcopy with pages left, and background pages no faster than a few MiB a second',
  precopy: 'has postcopy on, but converges and completes by precopy',
  preempt: 'as postcopy, with a preempt channel',
  recover: 'as postcopy; when it is paused it connects once more to go on',
  huge: 'as postcopy, with host pages larger than 4K behind a block',
  hash: 'as postcopy, with a hash guest that was told of pages larger than 4K',
} as const;

/** Name of a way to start the source. */
export type SourceStart = keyof typeof SOURCE_STARTS;

/** A moment as the destination sees it: a record has come on the main channel. */
export const MOMENTS = {
  negotiation: 'the first PING, before it is answered',
  precopy: 'the first page',
  'package-ping': 'the PING in the package, before it is answered',
  running: 'RUN, the last record of the package',
  'after-pages': 'some pages after the package',
  eof: 'EOF',
  recovering: 'the first record of the second connection',
} as const;

/** Name of a moment. */
export type Moment = keyof typeof MOMENTS;

/** What the destination knows when it speaks. */
export interface Known {
  readonly ram: RamAsReceived;
  readonly subject: Subject;
}

/** Bytes that the destination puts on the return path at a moment. */
export interface Words {
  readonly at: Moment;
  /** None: it says nothing, which is of use with `thenCloses`. */
  readonly bytes: (known: Known) => Uint8Array;
  /** Drops the connection behind them. */
  readonly thenCloses?: boolean;
  /** Whether the source goes on after them; else the destination falls silent and waits for it to leave. */
  readonly goesOn: boolean;
}

/** How a recovered destination answers. */
export interface RecoveryPlan {
  /** Drops the connection after so many pages of postcopy. */
  readonly cutAfterPages: number;
  /** Tells of so many host pages that came in postcopy that they did not. */
  readonly lostPages: number;
  /** What is wrong with the first received bitmap. */
  readonly bitmap: 'right' | 'too-short' | 'without-mark';
  /** Value of RESUME_ACK. */
  readonly ack: number;
}

/** An answer to the negotiation's PING; an empty name stands for all blocks not named. Sizes in bytes. */
export interface HostPageWords {
  readonly block: string;
  readonly hostPage: number;
  readonly placementPage: number;
}

/** What the destination does in one run of a source. */
export interface DestinationScript {
  /** Unique among all scenarios. */
  readonly name: string;
  readonly start: SourceStart;
  /** HOST_PAGE messages, said to a source that negotiates: they would drive another away. */
  readonly hostPages?: (subject: Subject) => readonly HostPageWords[];
  /** Holds the first PONG back for a while: a source that negotiates must wait for it. */
  readonly holdsFirstPong?: boolean;
  /** Answers the PING in the package only after the one behind it. */
  readonly packagePongLast?: boolean;
  readonly asks?: RequestPlan;
  readonly says?: Words;
  readonly readsSlowly?: boolean;
  /** Holds SHUT back for a while: the source must wait for it. */
  readonly holdsShut?: boolean;
  readonly recovery?: RecoveryPlan;
}
