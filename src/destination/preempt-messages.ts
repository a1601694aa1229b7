// What the incoming thread and the thread of its preempt channel tell each other, beside what concerns sockets.
import type { MessagePort } from 'node:worker_threads';
import type { ErrorRecord } from '../errors.ts';
import type { SharedRamImage } from '../machine/ram-block.ts';
import type { Profile } from '../protocol/profile.ts';
import type { NumberedRequest } from '../transport/socket-requests.ts';
import type { SharedFaultBoard } from './fault-board.ts';
import type { PreemptNews } from './preempt-intake.ts';
import type { SharedTally } from './ram-tally.ts';

/** What the thread is started with. */
export interface PreemptThreadData {
  readonly profile: Profile;
  readonly board: SharedFaultBoard;
  readonly collapseNs: number;
  readonly isWatched: boolean;
  /** How many bytes have come on the channel, and when the last of them did, in monotonic ns; written by the thread. */
  readonly marks: SharedArrayBuffer;
  /** Brings one `PreemptRam`. */
  readonly ram: MessagePort;
}

/** What to place into: sent at LISTEN, so it is there before a page can be. */
export interface PreemptRam {
  readonly ram: SharedRamImage;
  readonly tally: SharedTally;
}

/** What the thread is told. */
export type ToPreemptThread =
  | NumberedRequest
  /** Tell all news from now on, and those so far at once. */
  | { readonly kind: 'tell-news' }
  /** Place nothing any more, drop a host page that is not whole, and end. */
  | { readonly kind: 'stop' };

/** What the thread tells. */
export type FromPreemptThread =
  | { readonly kind: 'news'; readonly news: PreemptNews }
  | { readonly kind: 'failed'; readonly error: ErrorRecord }
  | { readonly kind: 'stopped' };

/** The connection of the preempt channel is the second one. */
export const PREEMPT_CHANNEL = 1;
/** Words of the marks. */
export const MARK = { BYTES: 0, LAST_NS: 1, COUNT: 2 } as const;
