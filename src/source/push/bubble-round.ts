// Push strategy `bubble-N`: a bubble round each of the last N requests, one page of each in turn.
import { Bubble } from './bubble.ts';
import type { DirtyLine } from './dirty-line.ts';
import type { PushStrategy } from './push-strategy.ts';

/** Bubbles of one push at most. */
export const BUBBLE_LIMIT = 64;

/** The newest bubble takes the place of the oldest, and the next turn. */
export class BubbleRound implements PushStrategy {
  readonly #line: DirtyLine;
  readonly #limit: number;
  readonly #bubbles: Bubble[] = [];
  /** Until something is requested. */
  readonly #start: Bubble;
  #oldest = 0;
  #turn = 0;

  constructor(line: DirtyLine, bubbleCount: number) {
    this.#line = line;
    this.#limit = bubbleCount;
    this.#start = new Bubble(line);
  }

  requested(position: number): void {
    const bubble = new Bubble(this.#line, position);
    if (this.#bubbles.length < this.#limit) {
      this.#turn = this.#bubbles.push(bubble) - 1;
      return;
    }
    this.#turn = this.#oldest;
    this.#bubbles[this.#oldest] = bubble;
    this.#oldest = (this.#oldest + 1) % this.#limit;
  }

  /** A bubble gives nothing only when nothing is dirty on the whole line, so no other has to be tried. */
  next(): number {
    const bubble = this.#bubbles[this.#turn] ?? this.#start;
    this.#turn = this.#bubbles.length === 0 ? 0 : (this.#turn + 1) % this.#bubbles.length;
    return bubble.next();
  }
}
