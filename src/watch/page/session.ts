// What the page shows: which run, which moment of it, and how much time around it.
import type { EndName, Frame } from '../model/frame.ts';
import type { RefusedFrame } from '../model/read-frame.ts';
import { RunLog, RunWatch } from '../model/run-log.ts';
import { RunModel } from '../model/run-model.ts';
import { eventfulSpan } from '../model/whereabouts.ts';

/** Runs that stay on the page; older ones are let go. */
const MOST_RUNS = 6;
/** A run is shown this long at least, so that a beginning has room to grow into. */
const LEAST_SPAN_NS = 2e9;

/** One run with its frames. */
export interface KeptRun {
  readonly model: RunModel;
  readonly log: RunLog;
  readonly number: number;
}

/** What is shown of a run. */
export interface Moment {
  readonly run: RunModel;
  readonly at: number;
  /** Span of the lanes and charts. */
  readonly from: number;
  readonly to: number;
  readonly isLive: boolean;
}

/** The state of the page. */
export class Session {
  runs: KeptRun[] = [];
  shown: KeptRun;
  #current: KeptRun;
  #watch = new RunWatch();
  #count = 0;
  #isReplay = false;
  /** The moment shown; undefined follows the run. */
  #at: number | undefined;
  #lastTake = 0;
  isPlaying = false;
  /** Time shown; undefined for all of the run. */
  spanNs: number | undefined;
  mapEnd: EndName | undefined;
  /** Index of the lane and of the stall in it that is looked at. */
  stall: { readonly vcpu: number; readonly fault: number } | undefined;
  /** Grows with every change of what is shown. */
  version = 0;

  constructor() {
    this.#current = this.#newRun();
    this.shown = this.#current;
  }

  #newRun(): KeptRun {
    this.#count += 1;
    const run = { model: new RunModel(), log: new RunLog(), number: this.#count };
    this.runs.push(run);
    if (this.runs.length > MOST_RUNS) this.runs.shift();
    return run;
  }

  /** After a connection was mended all of the run comes again; until then what is known stays. */
  expectReplay(): void {
    this.#isReplay = true;
  }

  /** The run that is known comes again: it takes its own place. A new one is added as always. */
  #beginReplay(end: EndName, run: string): void {
    this.#isReplay = false;
    if (this.#current.model.ends[end].hello?.run !== run) return;
    const again = { model: new RunModel(), log: new RunLog(), number: this.#current.number };
    this.runs = this.runs.map((kept) => (kept === this.#current ? again : kept));
    if (this.shown === this.#current) this.shown = again;
    this.#current = again;
    this.#watch = new RunWatch();
  }

  /** Forgets everything, for a file or a feed that begins anew. */
  reset(): void {
    this.runs = [];
    this.#count = 0;
    this.#watch = new RunWatch();
    this.#current = this.#newRun();
    this.show(this.#current);
  }

  /** Takes a frame of the feed or of a file. */
  take(frame: Exclude<Frame, { kind: 'watch' }> | RefusedFrame, bytes: Uint8Array): void {
    this.#lastTake = performance.now();
    if (frame.kind === 'refused') {
      this.#current.model.refuse(frame.fault);
      this.version += 1;
      return;
    }
    if (this.#isReplay && frame.kind === 'hello') this.#beginReplay(frame.end, frame.run);
    if (this.#watch.begins(frame)) {
      const wasShown = this.shown === this.#current;
      this.#current = this.#newRun();
      if (wasShown && this.#at === undefined) this.show(this.#current);
    }
    if (!this.#watch.has(frame.end)) return;
    this.#current.log.take(frame, bytes);
    this.#current.model.take(frame);
    this.version += 1;
  }

  /** Shows another run, its newest moment. */
  show(run: KeptRun): void {
    this.shown = run;
    this.#at = undefined;
    this.isPlaying = false;
    this.stall = undefined;
    this.version += 1;
  }

  /** Whether it follows the newest moment. */
  get isLive(): boolean {
    return this.#at === undefined;
  }

  /** Goes to a moment; to the newest, which is followed from then on, without one. */
  goTo(at: number | undefined): void {
    const { startAt, endAt } = this.shown.model;
    if (at === undefined) {
      this.#at = undefined;
      this.isPlaying = false;
    } else {
      this.#at = Math.max(startAt, Math.min(endAt, at));
    }
    this.version += 1;
  }

  /** Plays from where it stands, from the beginning where it stands at the end. */
  play(isPlaying: boolean): void {
    const { startAt, endAt } = this.shown.model;
    this.isPlaying = isPlaying;
    if (isPlaying && (this.#at ?? endAt) >= endAt) this.#at = startAt;
    this.version += 1;
  }

  /** Lets time pass while it plays. */
  advance(elapsedMs: number): void {
    if (!this.isPlaying || this.#at === undefined) return;
    this.goTo(this.#at + elapsedMs * 1e6);
    if (this.#at >= this.shown.model.endAt) this.isPlaying = false;
  }

  /** What is to be shown. */
  moment(): Moment {
    const { model } = this.shown;
    const { endAt } = model;
    // Between ticks the time goes on, so that what grows with it does not stand still.
    const isGrowing = this.#at === undefined && !model.isOver && this.shown === this.#current;
    const at =
      this.#at ?? endAt + (isGrowing ? Math.min(1e8, (performance.now() - this.#lastTake) * 1e6) : 0);
    const { spanNs } = this;
    if (spanNs === undefined) {
      const { from, to } = eventfulSpan(model);
      return { run: model, at, from, to: Math.max(to, from + LEAST_SPAN_NS), isLive: this.isLive };
    }
    const to = this.isLive ? at : Math.min(Math.max(endAt, at), at + spanNs / 2);
    return { run: model, at, from: to - spanNs, to, isLive: this.isLive };
  }
}
