// What the outgoing thread and the thread that answers requests tell each other, beside what concerns sockets.
import type { MessagePort } from 'node:worker_threads';
import type { ErrorRecord } from '../errors.ts';
import type { SharedRamImage } from '../machine/ram-block.ts';
import type { Profile } from '../protocol/profile.ts';
import type { NumberedRequest } from '../transport/socket-requests.ts';
import type { SharedPageClaims } from './page-claims.ts';

/** What the thread is started with. */
export interface AnswerThreadData {
  readonly profile: Profile;
  readonly negotiates: boolean;
  /** Whether the migration is large enough for a rehearsal. */
  readonly rehearses: boolean;
  /** What it has sent, written by it: see `ANSWERED`. */
  readonly counts: SharedArrayBuffer;
  /** Brings one `AnswerableRam`. */
  readonly ram: MessagePort;
}

/** What requests are answered from: sent before the package, so it is there before a request can be. */
export interface AnswerableRam {
  readonly ram: SharedRamImage;
  /** By block. */
  readonly placementPageBytes: readonly number[];
  readonly claims: SharedPageClaims;
}

/** What the thread is told. */
export type ToAnswerThread =
  | NumberedRequest
  /** Answer nothing any more, and tell when what was claimed has been written. */
  | { readonly kind: 'stop' };

/** What the thread tells. */
export type FromAnswerThread =
  | { readonly kind: 'stopped' }
  /** What it had claimed could not be written. */
  | { readonly kind: 'failed'; readonly error: ErrorRecord };

/** Channels in the order in which they are connected. */
export const MAIN_CHANNEL = 0;
/** The second one. */
export const PREEMPT_CHANNEL = 1;
