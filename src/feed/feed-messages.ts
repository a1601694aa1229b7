// The frames of the feed, each declared once: types, checks and docs/feed.md come from here. Pure.
import {
  bytes,
  count,
  document,
  type FeedField,
  type FeedFields,
  type FeedValues,
  flag,
  list,
  nullable,
  number,
  object,
  oneOf,
  optional,
  text,
} from './feed-fields.ts';

/** The version of all this; one that reads it differently has another. */
export const FEED_VERSION = 1;
/** Name of the WebSocket subprotocol. */
export const FEED_SUBPROTOCOL = 'postcopy-feed-1';

/** States of a migration at either end. */
export const RUN_STATES = [
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
/** One of them. */
export type RunState = (typeof RUN_STATES)[number];

/** What a viewer may ask for, where it is let. */
export const CONTROL_ACTIONS = ['start', 'switch', 'pause-push', 'resume-push', 'link', 'cancel'] as const;
/** One of them. */
export type ControlAction = (typeof CONTROL_ACTIONS)[number];

/** A kind of frame. */
export interface FeedMessage<F extends FeedFields> {
  /** One sentence for documentation. */
  readonly doc: string;
  readonly fields: F;
}

function message<const F extends FeedFields>(doc: string, fields: F): FeedMessage<F> {
  return { doc, fields };
}

const link = object({ bytesPerSecond: number, rttNs: number });
const block = object({ name: text, length: count, hostPage: count, placementPage: count, targetPage: count });

/** What an end tells. Bytes are bytes of guest memory unless they are said to be of the wire; times are monotonic ns. */
export const FEED_MESSAGES = {
  hello: message(
    'Which run this is; the first frame, and again when it changes. A snapshot of all below follows.',
    {
      version: count,
      run: text,
      startedAt: number,
      blocks: list(block),
      vcpus: count,
      control: flag,
      hold: flag,
      repeat: flag,
      link: nullable(link),
      channels: count,
      dropped: count,
    },
  ),
  state: message('Where the migration stands.', { state: oneOf(...RUN_STATES), reason: optional(text) }),
  negotiation: message('Which pages were agreed on.', {
    outcome: oneOf('negotiated', 'legacy', 'refused'),
    reason: optional(text),
    blocks: list(
      object({
        name: text,
        sourceHostPage: nullable(count),
        destinationHostPage: nullable(count),
        placementPage: nullable(count),
      }),
    ),
    amplified: nullable(count),
  }),
  pages: message('What became of pages of a block, as runs that follow each other from `first` on.', {
    block: text,
    unit: count,
    first: count,
    full: flag,
    states: bytes,
  }),
  vcpus: message('What the vCPUs do, and the toucher behind them.', {
    list: list(
      object({
        running: flag,
        steps: count,
        block: optional(text),
        offset: optional(count),
        since: optional(number),
      }),
    ),
  }),
  faults: message('Faults that ended, some of them where there were many, in no order.', {
    list: list(
      object({
        vcpu: count,
        block: text,
        offset: count,
        fault: number,
        requested: number,
        firstByte: number,
        placed: number,
        running: number,
        by: oneOf('push', 'request'),
      }),
    ),
    dropped: count,
  }),
  rates: message('What passed since the last one.', {
    interval: number,
    wire: count,
    background: count,
    urgent: count,
    zero: count,
    precopy: count,
    dirty: count,
    faults: count,
    requests: count,
    requestsOpen: count,
    pushPaused: flag,
  }),
  totals: message('What passed since the run began; with the rates.', {
    wire: count,
    precopyPages: count,
    backgroundPages: count,
    requestedPages: count,
    zeroPages: count,
    discardedPages: count,
    duplicatePages: count,
    requests: count,
    faults: count,
    presentBytes: count,
    totalBytes: count,
  }),
  stalls: message('All stalls of the run, in ns; percentiles within 2 %. Buckets are those of QEMU.', {
    count: count,
    mean: nullable(number),
    p50: nullable(number),
    p90: nullable(number),
    p99: nullable(number),
    max: nullable(number),
    sum: number,
    buckets: list(count, 24),
    floor: nullable(number),
  }),
  pass: message('A precopy pass that ended.', {
    index: count,
    dirtyBytes: count,
    sentBytes: count,
    remaining: count,
    bandwidth: nullable(number),
    expectedDowntimeOld: nullable(number),
    expectedDowntimeNew: nullable(number),
  }),
  records: message(
    'Records that this end read, as `postcopy dissect` writes them, some of them where there were many.',
    {
      list: list(object({ direction: oneOf('fwd', 'ret'), line: text })),
      skipped: count,
    },
  ),
  result: message('The result of the run, as in docs/result.schema.json; its last frame.', {
    result: document,
  }),
  'control-answer': message('What became of what this viewer asked for.', {
    action: text,
    ok: flag,
    reason: optional(text),
  }),
} as const;

/** Kind of a frame. */
export type FeedKind = keyof typeof FEED_MESSAGES;
/** The values of a frame of that kind. */
export type FeedBody<K extends FeedKind> =
  (typeof FEED_MESSAGES)[K] extends FeedMessage<infer F> ? FeedValues<F> : never;

/** What every frame has. */
export const FEED_HEAD = {
  /** Frames that were made for all viewers so far, this one included. */
  seq: count,
  at: number,
  end: oneOf('source', 'destination'),
} as const;

/** A frame, decoded. */
export type FeedFrame = {
  readonly [K in FeedKind]: { readonly kind: K } & FeedValues<typeof FEED_HEAD> & FeedBody<K>;
}[FeedKind];

/** What a viewer sends. */
export const CONTROL_FIELDS = {
  kind: oneOf('control'),
  action: oneOf(...CONTROL_ACTIONS),
  /** A rate such as `10gbit`, and a time such as `100us`: for `link`. */
  rate: optional(text),
  rtt: optional(text),
} as const satisfies Record<string, FeedField<unknown>>;
/** What a viewer sends, decoded. */
export type ControlMessage = FeedValues<typeof CONTROL_FIELDS>;
