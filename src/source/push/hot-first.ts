// Push strategy `hot-first`: what the guest dirtied lately and often in precopy goes first, then the rest in order.
import type { DirtyHistory } from '../dirty-history.ts';
import type { DirtyLine } from './dirty-line.ts';
import type { PushStrategy } from './push-strategy.ts';
import { SequentialPush } from './sequential.ts';

/** Goes through the dirty placement pages by their heat, those of equal heat up the line; those without any last. */
export class HotFirstPush implements PushStrategy {
  readonly #line: DirtyLine;
  readonly #history: DirtyHistory;
  readonly #rest: SequentialPush;
  #order: Float64Array | undefined;
  #at = 0;

  constructor(line: DirtyLine, history: DirtyHistory) {
    this.#line = line;
    this.#history = history;
    this.#rest = new SequentialPush(line);
  }

  requested(): void {
    // The order stands.
  }

  next(): number {
    // Sorted when the first page is wanted: then the package has left, and the destination is busy loading it.
    this.#order ??= this.#sort();
    while (this.#at < this.#order.length) {
      const position = this.#order[this.#at]!;
      this.#at += 1;
      if (this.#line.isDirty(position)) return position;
    }
    return this.#rest.next();
  }

  /** Positions by heat, the hottest first: a counting sort, as there are few heats and may be many pages. */
  #sort(): Float64Array {
    const history = this.#history;
    const counts = new Uint32Array(history.maxHeat + 2);
    history.forEachHot((_position, heat) => {
      counts[heat]! += 1;
    });
    // Where those of a heat begin: behind all hotter ones.
    for (let heat = history.maxHeat; heat >= 0; heat -= 1) counts[heat]! += counts[heat + 1]!;
    const order = new Float64Array(counts[0]!);
    const next = counts.subarray(1);
    history.forEachHot((position, heat) => {
      order[next[heat]!] = position;
      next[heat]! += 1;
    });
    return order;
  }
}
