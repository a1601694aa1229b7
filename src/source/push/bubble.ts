// Push strategy `bubble`: outwards from the page requested last, on both sides (Hines and Gopalan 2009).
import type { DirtyLine } from './dirty-line.ts';
import type { PushStrategy } from './push-strategy.ts';

/**
 * A bubble round a pivot, the page requested last. Whatever is dirty inside was sent; the page that goes next is the one
 * nearest to the pivot outside, the upper of two. Where both sides are dirty that is one above, one below, in turn.
 */
export class Bubble implements PushStrategy {
  readonly #line: DirtyLine;
  #pivot = { start: 0, end: 0 };
  #low = 0;
  #high = 0;

  /** Begins at the start of the line, or round `pivot`. */
  constructor(line: DirtyLine, pivot?: number) {
    this.#line = line;
    if (pivot !== undefined) this.requested(pivot);
  }

  /** Every request moves it, also one whose page is under way: that is where the guest is. */
  requested(position: number): void {
    this.#pivot = { start: position, end: this.#line.endOfUnit(position) };
    this.#low = this.#pivot.start;
    this.#high = this.#pivot.end;
  }

  next(): number {
    const above = this.#line.nextDirty(this.#high);
    const below = this.#line.lastDirtyBefore(this.#low);
    if (above === -1 && below === -1) return -1;
    const isAbove =
      below === -1 ||
      (above !== -1 && above - this.#pivot.end <= this.#pivot.start - this.#line.endOfUnit(below));
    if (isAbove) this.#high = this.#line.endOfUnit(above);
    else this.#low = below;
    return isAbove ? above : below;
  }
}
