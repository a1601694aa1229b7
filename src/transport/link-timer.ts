// Wakes an emulated link tens of microseconds sharp, within the turns of the event loop.
import { monotonicNs } from '../monotonic-clock.ts';
import { FineSleep } from './fine-sleep.ts';

/** What a link needs of time. */
export interface LinkTimer {
  nowNs(): number;
  /**
   * Calls `onWake` between `atNs` and `latestNs`, or as soon after as it can, in place of what was asked for before; never
   * if `atNs` is undefined.
   */
  wakeAt(atNs: number | undefined, latestNs?: number): void;
  /** Somebody has just written, and may soon write more: no time to sleep. When it was the last, calls `onQuiet`. */
  noteWrite(): void;
  onWake: () => void;
  onQuiet: () => void;
}

/** Timers of Node are up to 1 ms late, so they end so long before. */
const TIMER_MARGIN_MS = 2;
/** What comes in is read between two sleeps. */
const SLICE_NS = 60_000;
/** A shorter sleep is not worth its call. */
const LEAST_SLEEP_NS = 3000;
/** Who has more to write does so in the next turn; a turn more, and it is waiting for something. */
const QUIET_TURNS = 2;

/** The timer of a thread with an event loop: a timer for the far part, short sleeps for the near one, turns for the last. */
export class EventLoopTimer implements LinkTimer {
  onWake: () => void = () => undefined;
  onQuiet: () => void = () => undefined;
  readonly nowNs = monotonicNs;
  readonly #sleep = new FineSleep();
  #atNs: number | undefined;
  #latestNs = 0;
  #timeout: NodeJS.Timeout | undefined;
  #hasTurn = false;
  /** Turns without a write until it is quiet. */
  #turnsToQuiet = 0;

  wakeAt(atNs: number | undefined, latestNs = atNs ?? 0): void {
    this.#atNs = atNs;
    this.#latestNs = latestNs;
    clearTimeout(this.#timeout);
    this.#timeout = undefined;
    if (atNs !== undefined && !this.#hasTurn) this.#plan(atNs);
  }

  noteWrite(): void {
    const isCounting = this.#turnsToQuiet > 0;
    this.#turnsToQuiet = QUIET_TURNS;
    if (!isCounting) setImmediate(() => this.#countTurn());
  }

  #countTurn(): void {
    this.#turnsToQuiet -= 1;
    if (this.#turnsToQuiet === 0) this.onQuiet();
    else setImmediate(() => this.#countTurn());
  }

  #plan(atNs: number): void {
    const farMs = Math.floor((atNs - monotonicNs()) / 1e6) - TIMER_MARGIN_MS;
    this.#hasTurn = farMs < 1;
    if (this.#hasTurn) setImmediate(() => this.#turn());
    else this.#timeout = setTimeout(() => this.#plan(atNs), farMs);
  }

  #turn(): void {
    this.#hasTurn = false;
    if (this.#atNs === undefined) return;
    const sleepNs = Math.min(SLICE_NS, this.#latestNs - monotonicNs() - this.#sleep.wakeNs);
    if (this.#turnsToQuiet === 0 && sleepNs >= LEAST_SLEEP_NS) this.#sleep.sleep(sleepNs);
    if (monotonicNs() >= this.#atNs) this.onWake();
    else this.#plan(this.#atNs);
  }
}
