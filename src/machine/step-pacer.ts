// How many steps a paced vCPU may do now.

/** A vCPU that was held up, by a fault say, makes up for at most this much of it. */
const MAX_BACKLOG_NS = 10e6;

/** Spreads steps over time at a fixed rate. Takes the time from its caller. */
export class StepPacer {
  readonly #nsPerStep: number;
  /** When the next step is due, in ns. */
  #dueNs: number;

  /** At `ratePerSecond` > 0 steps, the first at `startNs`. */
  constructor(ratePerSecond: number, startNs: number) {
    this.#nsPerStep = 1e9 / ratePerSecond;
    this.#dueNs = startNs;
  }

  /** Takes up to `maxSteps` steps that are due at `nowNs`, and returns how many. */
  take(nowNs: number, maxSteps: number): number {
    this.#dueNs = Math.max(this.#dueNs, nowNs - MAX_BACKLOG_NS);
    if (nowNs < this.#dueNs) return 0;
    const steps = Math.min(maxSteps, 1 + Math.floor((nowNs - this.#dueNs) / this.#nsPerStep));
    this.#dueNs += steps * this.#nsPerStep;
    return steps;
  }

  /** Time from `nowNs` to the next step, in ms. */
  waitMs(nowNs: number): number {
    return Math.max(0, this.#dueNs - nowNs) / 1e6;
  }
}
