// One page request as its source saw it, and the PINGs and PONGs that tell how far the clocks of the two ends are apart.

/** What a request may have to wait for at the source before its page is begun. */
export const SOURCE_WAITS = ['behindPage', 'behindRequests', 'behindBackground', 'behindLimit'] as const;
/** One of `SOURCE_WAITS`. */
export type SourceWait = (typeof SOURCE_WAITS)[number];

/** One page request. Times are monotonic ns of the source's clock. */
export interface RequestRecord {
  /** Name of the RAM block. */
  readonly block: string;
  /** Where the page that was asked for begins in its block, in bytes. */
  readonly start: number;
  /** When the source read the request. */
  readonly arrivedNs: number;
  /** When it began to send the page; 0 if the page had been sent by then, or was under way. */
  readonly takenNs: number;
  /** Requests that waited already. */
  readonly aheadCount: number;
  /** From arrival to begin: what the source did meanwhile. What is missing to all of that time is its own work. */
  readonly waitsNs: Readonly<Record<SourceWait, number>>;
}

/** A PING that was answered, by the source's clock. */
export interface PingRecord {
  readonly value: number;
  /** Not later than it left. */
  readonly sentNs: number;
  readonly answeredNs: number;
}

/** A PING as the destination answered it, by its own clock. */
export interface PongRecord {
  readonly value: number;
  readonly answeredNs: number;
}

/** What a source tells of the requests that it got. */
export interface RequestsResult {
  readonly entries: readonly RequestRecord[];
  /** Requests beyond those that are kept. */
  readonly droppedCount: number;
  /** The PINGs with the shortest round trips. */
  readonly pings: readonly PingRecord[];
}

/** So many requests are kept: a GiB of 4 KiB pages. */
export const REQUEST_LOG_LIMIT = 2 ** 18;
/** Only so many PINGs are looked at, the first: those of the set-up, on a quiet link, are among them. */
export const PING_LIMIT = 4096;
