// Push strategy `forward`: upwards from the page requested last, as QEMU does, since neighbours are likely to be next.
import type { DirtyLine } from './dirty-line.ts';
import type { PushStrategy } from './push-strategy.ts';

/** Goes round and round the line, on from behind the page that was sent last for a request. */
export class ForwardPush implements PushStrategy {
  readonly #line: DirtyLine;
  #from = 0;

  constructor(line: DirtyLine) {
    this.#line = line;
  }

  requested(position: number, isSentForIt: boolean): void {
    // QEMU's scan does not move for a request whose page had been sent.
    if (isSentForIt) this.#from = this.#line.endOfUnit(position);
  }

  next(): number {
    const position = this.#line.nextDirtyRound(this.#from);
    if (position !== -1) this.#from = this.#line.endOfUnit(position);
    return position;
  }
}
