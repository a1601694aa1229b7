// Push strategy `reverse`: downwards from the page requested last; the control, wrong for every guest that goes upwards.
import type { DirtyLine } from './dirty-line.ts';
import type { PushStrategy } from './push-strategy.ts';

/** `forward` in a mirror: down the line from before the page that was sent last for a request, and on from the end. */
export class ReversePush implements PushStrategy {
  readonly #line: DirtyLine;
  #before: number;

  constructor(line: DirtyLine) {
    this.#line = line;
    this.#before = line.end;
  }

  requested(position: number, isSentForIt: boolean): void {
    if (isSentForIt) this.#before = position;
  }

  next(): number {
    const below = this.#line.lastDirtyBefore(this.#before);
    const position = below === -1 ? this.#line.lastDirtyBefore(this.#line.end) : below;
    if (position !== -1) this.#before = position;
    return position;
  }
}
