// Wakes an emulated link tens of microseconds sharp, within the turns of the event loop.
import { monotonicNs } from '../monotonic-clock.ts';
import { FineSleep } from './fine-sleep.ts';

/** What a link needs of time. */
export interface LinkTimer {
  nowNs(): number;
  /**
   * Calls `onWake` at `atNs` or soon after, in place of what was asked for before; never if undefined. With `isBulk` it
   * need not be sharp: the queue is full, so what is late goes with what follows it.
   */
  wakeAt(atNs: number | undefined, isBulk: boolean): void;
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
/** While the queue is full, bytes go together that leave within so long: each call costs as much as 10 KiB in it. */
const BULK_SLEEP_NS = 40_000;
/** Who has more to write does so in the next turn; a turn more, and it is waiting for something. */
const QUIET_TURNS = 2;

/** The timer of a thread with an event loop: a timer for the far part, short sleeps for the near one, turns for the last. */
export class EventLoopTimer implements LinkTimer {
  onWake: () => void = () => undefined;
  onQuiet: () => void = () => undefined;
  readonly nowNs = monotonicNs;
  readonly #sleep = new FineSleep();
  #atNs: number | undefined;
  #isBulk = false;
  #timeout: NodeJS.Timeout | undefined;
  #hasTurn = false;
  /** Turns without a write until it is quiet. */
  #turnsToQuiet = 0;

  wakeAt(atNs: number | undefined, isBulk: boolean): void {
    this.#atNs = atNs;
    this.#isBulk = isBulk;
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
    const leftNs = this.#atNs - monotonicNs();
    const sleepNs = Math.max(
      Math.min(SLICE_NS, leftNs - this.#sleep.wakeNs),
      this.#isBulk ? BULK_SLEEP_NS : 0,
    );
    if (this.#turnsToQuiet === 0 && sleepNs >= LEAST_SLEEP_NS) this.#sleep.sleep(sleepNs);
    if (monotonicNs() >= this.#atNs) this.onWake();
    else this.#plan(this.#atNs);
  }
}
