// Push strategy `recorded`: the pages that faulted in an earlier run, in the order of their faults, then the rest.
import type { DirtyLine, LineBounds } from './dirty-line.ts';
import type { PushStrategy, RecordedFault } from './push-strategy.ts';
import { SequentialPush } from './sequential.ts';

/**
 * Goes through what was faulted on. Placement pages may be of another size than then: all that a larger page held goes,
 * in order, and the whole page that holds a smaller one.
 */
export class RecordedPush implements PushStrategy {
  readonly #line: DirtyLine;
  readonly #faulted: readonly LineBounds[];
  readonly #rest: SequentialPush;
  #at = 0;

  constructor(line: DirtyLine, faults: readonly RecordedFault[]) {
    this.#line = line;
    this.#faulted = faults.flatMap(({ block, start, length }) => line.boundsOf(block, start, length) ?? []);
    this.#rest = new SequentialPush(line);
  }

  requested(): void {
    // The order stands.
  }

  next(): number {
    for (; this.#at < this.#faulted.length; this.#at += 1) {
      const { start, end } = this.#faulted[this.#at]!;
      const position = this.#line.nextDirty(start);
      if (position !== -1 && position < end) return position;
    }
    return this.#rest.next();
  }
}
