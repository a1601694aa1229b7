// Push strategy `sequential`: from the first page to the last, whatever is requested.
import type { DirtyLine } from './dirty-line.ts';
import type { PushStrategy } from './push-strategy.ts';

/** Goes up the line once. Also what other strategies end with. */
export class SequentialPush implements PushStrategy {
  readonly #line: DirtyLine;
  /** All before it was sent. */
  #from = 0;

  constructor(line: DirtyLine) {
    this.#line = line;
  }

  requested(): void {
    // It goes on where it is.
  }

  next(): number {
    const position = this.#line.nextDirty(this.#from);
    if (position !== -1) this.#from = this.#line.endOfUnit(position);
    return position;
  }
}
