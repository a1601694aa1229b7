// Push strategy `stride`: where requests follow each other at a constant step, the pages that this step leads to.
import type { DirtyLine } from './dirty-line.ts';
import { ForwardPush } from './forward.ts';
import type { PushStrategy } from './push-strategy.ts';

/** Among so many requests a step is looked for: those of several vCPUs come between each other. */
const RECENT_REQUESTS = 8;
/** Runs that are remembered, so that a guest that comes back to one is not followed from the start again. */
const REMEMBERED_RUNS = 8;

/** Pages at a constant step, of which all before the cursor are sent. */
interface Run {
  readonly step: number;
  /** The last request that was on it. */
  last: number;
  cursor: number;
}

/**
 * A run begins when three of the last requests lie at equal steps, in the order in which they came, in one block. A
 * request between the last one of a run and its cursor goes on with it. Any other ends the run for now; without one, and
 * where it has left its block, `forward` decides.
 */
export class StridePush implements PushStrategy {
  readonly #line: DirtyLine;
  readonly #forward: ForwardPush;
  /** The newest first. */
  readonly #recent: number[] = [];
  /** The one followed last first. */
  readonly #runs: Run[] = [];
  #run: Run | undefined;

  constructor(line: DirtyLine) {
    this.#line = line;
    this.#forward = new ForwardPush(line);
  }

  requested(position: number, isSentForIt: boolean): void {
    this.#forward.requested(position, isSentForIt);
    this.#run = this.#goOn(position) ?? this.#detect(position);
    this.#recent.unshift(position);
    if (this.#recent.length > RECENT_REQUESTS) this.#recent.pop();
  }

  next(): number {
    const run = this.#run;
    if (run !== undefined) {
      const { start, end } = this.#line.blockAt(run.last);
      while (run.cursor >= start && run.cursor < end) {
        const position = run.cursor;
        run.cursor += run.step;
        if (this.#line.isDirty(position)) return position;
      }
    }
    return this.#forward.next();
  }

  /** A run that the request is on. */
  #goOn(position: number): Run | undefined {
    const index = this.#runs.findIndex(({ step, last, cursor }) => {
      const steps = (position - last) / step;
      return Number.isInteger(steps) && steps > 0 && (cursor - position) / step >= 0;
    });
    if (index === -1) return undefined;
    const run = this.#runs[index]!;
    this.#runs.splice(index, 1);
    this.#runs.unshift(run);
    run.last = position;
    if (run.cursor === position) run.cursor += run.step;
    return run;
  }

  #detect(position: number): Run | undefined {
    const { start, end } = this.#line.blockAt(position);
    for (const [age, before] of this.#recent.entries()) {
      const step = position - before;
      const first = before - step;
      if (step === 0 || before < start || before >= end || first < start || first >= end) continue;
      if (this.#recent.indexOf(first, age + 1) === -1) continue;
      const run = { step, last: position, cursor: position + step };
      this.#runs.unshift(run);
      if (this.#runs.length > REMEMBERED_RUNS) this.#runs.pop();
      return run;
    }
    return undefined;
  }
}
