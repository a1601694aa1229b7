// What a push strategy is: it says which placement page the background sends next.
import type { DirtyHistory } from '../dirty-history.ts';
import type { DirtyLine } from './dirty-line.ts';

/**
 * The order of what the background sends. It has a state, moved by requests and by what it gave, and nothing else: no
 * clock, no chance. Requests are never its business; they go first.
 */
export interface PushStrategy {
  /**
   * A request is taken, in the order of requests: `position` is that of a placement page that was asked for, and
   * `isSentForIt` tells whether it goes now, or was sent before.
   */
  requested(position: number, isSentForIt: boolean): void;
  /** The position of the dirty placement page to send next, which whoever asks then sends; -1 to send nothing. */
  next(): number;
}

/** A page that somebody waited for in an earlier run. */
export interface RecordedFault {
  readonly block: string;
  readonly start: number;
  readonly length: number;
}

/** What a strategy may look at. */
export interface PushSetup {
  readonly line: DirtyLine;
  /** What was dirtied in precopy, if it was kept. */
  readonly history: DirtyHistory | undefined;
  readonly faults: readonly RecordedFault[];
}
