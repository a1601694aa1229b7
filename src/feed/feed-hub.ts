// Makes the frames of one end and gives them to its viewers: a viewer that is slow loses frames and gets a snapshot.
import { monotonicNs } from '../monotonic-clock.ts';
import { encodeFrame } from './feed-codec.ts';
import { FEED_VERSION, type FeedBody, type FeedFrame, type FeedKind } from './feed-messages.ts';
import type { HasTime, PageCursor, PageMap } from './page-map.ts';

/** Somebody who is shown the feed, in whatever way. */
export interface Viewer {
  /** Bytes that it has not taken yet. */
  readonly backlogBytes: number;
  take(frame: FeedFrame, bytes: Buffer): void;
  /** Frames between these two may go together: a tick has several, and each write wakes who reads it. */
  cork?(): void;
  uncork?(): void;
}

/** A frame without its head. */
export type FeedPart = { readonly [K in FeedKind]: { readonly kind: K } & FeedBody<K> }[FeedKind];

/** What a run tells at the start, and at each tick. */
export interface FeedRun {
  /** Which run this is, as far as is known by now. */
  hello(): Pick<FeedBody<'hello'>, 'run' | 'startedAt' | 'blocks' | 'vcpus' | 'link' | 'channels'>;
  /** Undefined until there is RAM. */
  readonly pages: PageMap | undefined;
  /** The figures since the last tick. */
  tick(nowNs: number): readonly FeedPart[];
}

/** What an end lets its viewers do. */
export interface FeedRights {
  readonly control: boolean;
  readonly hold: boolean;
  readonly repeat: boolean;
}

/** How often frames are made, at most. */
const TICK_MS = 100;
/** And at least, however long a tick takes. */
const LONGEST_TICK_MS = 250;
/** Where ticks take more of a processor, or others need it too, they come less often. */
const TICK_SHARE = 0.01;
/** Frames about pages of one tick; what does not fit waits for the next. */
const PAGES_BUDGET_BYTES = 256 * 1024;
/** Looking for changed pages may take so much of a tick, and snapshots as much again: the migration needs the processor. */
const PAGES_BUDGET_NS = 0.5e6;
/** A viewer with so much untaken gets nothing until it has taken nearly all of it. */
const SLOW_BYTES = 1024 * 1024;
const CAUGHT_UP_BYTES = 64 * 1024;
/** Pages that changed at the end are told in so many ticks at most. */
const SETTLE_ROUNDS = 64;
/** Passes that a snapshot tells. */
const KEPT_PASSES = 256;
/** Kinds of which a snapshot tells the last one, in this order. */
const LAST_OF = ['state', 'negotiation', 'vcpus', 'totals', 'rates', 'stalls', 'records', 'result'] as const;

interface Watching {
  readonly viewer: Viewer;
  /** Where its snapshot of the pages goes on; undefined when it has all been told. */
  cursor: PageCursor | undefined;
  isSlow: boolean;
  dropped: number;
}

/** The feed of one end. It owns no channel, no socket, and no timer but its tick. */
export class FeedHub {
  readonly #end: 'source' | 'destination';
  readonly #rights: FeedRights;
  readonly #watching = new Set<Watching>();
  readonly #last = new Map<FeedKind, FeedPart>();
  #passes: FeedPart[] = [];
  #run: FeedRun | undefined;
  #seq = 0;
  #dropped = 0;
  #timer: NodeJS.Timeout | undefined;
  /** The run has ended, and no other has begun: ticks go on only until every viewer has been told all. */
  #standsStill = false;
  /** Sees every part that is made, whether anybody watches or not. */
  onPart: (part: FeedPart) => void = () => undefined;

  constructor(end: 'source' | 'destination', rights: FeedRights) {
    this.#end = end;
    this.#rights = rights;
  }

  /** Viewers at the moment. */
  get viewerCount(): number {
    return this.#watching.size;
  }

  /** Frames that viewers have missed, since the hub was made. */
  get droppedFrames(): number {
    return this.#dropped;
  }

  /** Begins a run: what was told of the one before is forgotten. */
  begin(run: FeedRun): void {
    this.#run = run;
    this.#last.clear();
    this.#passes = [];
    this.#standsStill = false;
    this.refresh();
  }

  /** The run has learned something that stands in its hello: all viewers are told all anew. */
  refresh(): void {
    this.#seq += 1;
    for (const watching of this.#watching) {
      if (watching.isSlow) this.#drop(watching);
      else this.#beginSnapshot(watching);
    }
    this.#goOn();
  }

  /** Tells all viewers. */
  tell(part: FeedPart): void {
    this.#keep(part);
    this.onPart(part);
    this.#broadcast(part);
  }

  /** The last part of a kind, of this run. */
  last<K extends FeedKind>(kind: K): Extract<FeedPart, { kind: K }> | undefined {
    return this.#last.get(kind) as Extract<FeedPart, { kind: K }> | undefined;
  }

  /** Tells one viewer, beside the order of the others. */
  answer(viewer: Viewer, part: FeedPart): void {
    this.#give(viewer, part);
  }

  /** Adds a viewer, which is told all at once; returns what takes it away. */
  attach(viewer: Viewer): () => void {
    const watching: Watching = { viewer, cursor: undefined, isSlow: false, dropped: 0 };
    this.#watching.add(watching);
    if (this.#run !== undefined) {
      this.#beginSnapshot(watching);
      this.#goOn();
    }
    return () => this.#watching.delete(watching);
  }

  /** The run stands still: tells all that a tick has not told yet; there is no more to tell until another run begins. */
  settle(): void {
    this.#standsStill = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (let round = 0; round < SETTLE_ROUNDS && this.#tick() > 0; round += 1);
    this.#goOn();
  }

  /** Ticks again after a while, if there is anything to be told then. */
  #goOn(waitMs = TICK_MS): void {
    if (this.#timer !== undefined || (this.#standsStill && this.#isAllTold)) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      const beganMs = performance.now();
      this.#tick();
      const neededMs = (performance.now() - beganMs) / TICK_SHARE;
      this.#goOn(Math.min(LONGEST_TICK_MS, Math.max(TICK_MS, neededMs)));
    }, waitMs).unref();
  }

  get #isAllTold(): boolean {
    return [...this.#watching].every(({ isSlow, cursor }) => !isSlow && cursor === undefined);
  }

  /** How long pages may be looked at: a moment, or as long as it takes in a run that stands still, which nobody holds up. */
  #beginLook(): HasTime {
    if (this.#standsStill) return () => true;
    const endNs = monotonicNs() + PAGES_BUDGET_NS;
    return () => monotonicNs() < endNs;
  }

  /** Makes the frames of a tick; returns how many of them tell of pages. */
  #tick(): number {
    const run = this.#run!;
    for (const { viewer } of this.#watching) viewer.cork?.();
    const changes = run.pages?.changes(PAGES_BUDGET_BYTES, this.#beginLook()) ?? [];
    for (const part of run.tick(monotonicNs())) this.tell(part);
    for (const body of changes) this.#broadcast({ kind: 'pages', ...body });
    const hasTime = this.#beginLook();
    for (const watching of this.#watching) {
      if (watching.isSlow && watching.viewer.backlogBytes < CAUGHT_UP_BYTES)
        this.#beginSnapshot(watching, hasTime);
      else if (!watching.isSlow) this.#goOnWithSnapshot(watching, hasTime);
      watching.viewer.uncork?.();
    }
    return changes.length;
  }

  #keep(part: FeedPart): void {
    if ((LAST_OF as readonly FeedKind[]).includes(part.kind)) this.#last.set(part.kind, part);
    if (part.kind === 'pass') this.#passes = [...this.#passes, part].slice(-KEPT_PASSES);
  }

  #broadcast(part: FeedPart): void {
    this.#seq += 1;
    if (this.#watching.size === 0) return;
    const frame = this.#frame(part);
    const bytes = encodeFrame(frame);
    for (const watching of this.#watching) {
      if (!watching.isSlow && watching.viewer.backlogBytes > SLOW_BYTES) {
        watching.isSlow = true;
        watching.cursor = undefined;
      }
      if (watching.isSlow) this.#drop(watching);
      else watching.viewer.take(frame, bytes);
    }
  }

  #drop(watching: Watching): void {
    watching.dropped += 1;
    this.#dropped += 1;
  }

  #beginSnapshot(watching: Watching, hasTime = this.#beginLook()): void {
    watching.isSlow = false;
    const { viewer, dropped } = watching;
    const hello = {
      kind: 'hello' as const,
      version: FEED_VERSION,
      ...this.#run!.hello(),
      ...this.#rights,
      dropped,
    };
    this.#give(viewer, hello);
    for (const kind of LAST_OF) {
      const part = this.#last.get(kind);
      if (part !== undefined) this.#give(viewer, part);
    }
    for (const pass of this.#passes) this.#give(viewer, pass);
    watching.cursor = this.#run!.pages === undefined ? undefined : { block: 0, entry: 0 };
    this.#goOnWithSnapshot(watching, hasTime);
  }

  /** Changes that are told meanwhile lie over it as well as over what was told: a piece is of the moment it is made. */
  #goOnWithSnapshot(watching: Watching, hasTime: HasTime): void {
    const { viewer, cursor } = watching;
    if (cursor === undefined || viewer.backlogBytes > SLOW_BYTES / 2) return;
    const bodies = this.#run!.pages!.snapshot(cursor, PAGES_BUDGET_BYTES, hasTime);
    if (this.#run!.pages!.isAtEnd(cursor)) watching.cursor = undefined;
    for (const body of bodies) this.#give(viewer, { kind: 'pages', ...body });
  }

  #give(viewer: Viewer, part: FeedPart): void {
    const frame = this.#frame(part);
    viewer.take(frame, encodeFrame(frame));
  }

  #frame(part: FeedPart): FeedFrame {
    return { ...part, seq: this.#seq, at: monotonicNs(), end: this.#end } as FeedFrame;
  }
}
