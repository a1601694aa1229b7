// What a push was good for, as far as each end can see it.

/** Counts of the push after the switchover; `null` where this end cannot know. */
export interface PushResult {
  /** Name of the strategy. */
  readonly strategy: string | null;
  /** Page requests that the source read. */
  readonly requests: number | null;
  /** Those of them of which all had been sent before they were read: hits, whose page was under way or just there. */
  readonly requestsFoundSent: number | null;
  /** From the switchover until the rest was pushed; of `none` only, and `null` if all was asked for before. */
  readonly pullNs: number | null;
  /** Time in which requests were sent while background pages waited. */
  readonly starvedNs: number | null;
  /** The longest of that at a stretch. */
  readonly longestStarvedNs: number | null;
  /** Host pages whose rest went before what the strategy would have pushed, since a piece of them was requested; `null` where that was not done. */
  readonly restFirstHostPages: number | null;
  /** In pieces of which size it pushed; `null` for placement pages. */
  readonly pieceBytes: number | null;
  /** Pieces begun, and those of them that a request interrupted. */
  readonly pieces: number | null;
  readonly piecesInterrupted: number | null;
  /** Host pages that faulted. */
  readonly faultedHostPages: number | null;
  /** Those of them whose first byte had come before their first fault: hits, but of a part only. */
  readonly faultedUnderWay: number | null;
  /** Host pages that came in postcopy while nobody waited for them. */
  readonly pushedHostPages: number | null;
  /** Those of them that a vCPU touched before the guest was stopped: hits without a fault. Known from the proof of the guest. */
  readonly pushedTouched: number | null;
  /** Those that no vCPU touched: wasted, so far. */
  readonly pushedUntouched: number | null;
}

/** Nothing known. */
const UNKNOWN: PushResult = {
  strategy: null,
  requests: null,
  requestsFoundSent: null,
  pullNs: null,
  starvedNs: null,
  longestStarvedNs: null,
  restFirstHostPages: null,
  pieceBytes: null,
  pieces: null,
  piecesInterrupted: null,
  faultedHostPages: null,
  faultedUnderWay: null,
  pushedHostPages: null,
  pushedTouched: null,
  pushedUntouched: null,
};

/** The result of an end that knows some of it; `null` of one that never came to postcopy. */
export function pushResult(known: Partial<PushResult> | undefined): PushResult | null {
  return known === undefined ? null : { ...UNKNOWN, ...known };
}

/** What both ends know together. */
export function combinePush(source: PushResult | null, destination: PushResult | null): PushResult | null {
  if (source === null || destination === null) return source ?? destination;
  const known = Object.entries(destination).filter(([, value]) => value !== null);
  return { ...source, ...(Object.fromEntries(known) as Partial<PushResult>) };
}
