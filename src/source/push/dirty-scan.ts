// Finds the dirty page next to any page of a block, and never walks twice over what it has seen to be clean.
import type { SharedBitmap } from '../../machine/shared-bitmap.ts';

const PAGES_PER_WORD = 32;

/**
 * Looks for dirty pages upwards and downwards. After the switchover pages only become clean, so a word of the bitmap that
 * was clean once is stepped over from then on, together with all clean words beside it: a push that jumps to and fro
 * pays for each clean word once, not once for each jump.
 */
export class DirtyScan {
  readonly #dirty: SharedBitmap;
  readonly #wordCount: number;
  /** By word: how many clean words there are at least from it on, upwards and downwards; 0 for one to look at. */
  readonly #cleanUp: Uint32Array;
  #cleanDown: Uint32Array | undefined;

  /** @param dirty - no bit of it may be set any more */
  constructor(dirty: SharedBitmap) {
    this.#dirty = dirty;
    this.#wordCount = Math.ceil(dirty.bitCount / PAGES_PER_WORD);
    // One more, so that a step beyond the last word finds an end.
    this.#cleanUp = new Uint32Array(this.#wordCount + 1);
  }

  /** The first dirty page at or after `page`, or -1. */
  atOrAfter(page: number): number {
    if (page >= this.#dirty.bitCount) return -1;
    const here = page >>> 5;
    const found = this.#dirty.nextSet(page, (here + 1) * PAGES_PER_WORD);
    if (found !== -1) return found;
    for (let word = this.#stepUp(here + 1); word < this.#wordCount; word = this.#stepUp(word)) {
      const next = this.#dirty.nextSet(word * PAGES_PER_WORD, (word + 1) * PAGES_PER_WORD);
      if (next !== -1) return next;
      this.#cleanUp[word] = 1;
    }
    return -1;
  }

  /** The last dirty page before `page`, or -1. */
  before(page: number): number {
    if (page <= 0) return -1;
    const here = (page - 1) >>> 5;
    const found = this.#dirty.previousSet(page, here * PAGES_PER_WORD);
    if (found !== -1) return found;
    this.#cleanDown ??= new Uint32Array(this.#wordCount);
    for (let word = this.#stepDown(here - 1); word >= 0; word = this.#stepDown(word)) {
      const next = this.#dirty.previousSet((word + 1) * PAGES_PER_WORD, word * PAGES_PER_WORD);
      if (next !== -1) return next;
      this.#cleanDown[word] = 1;
    }
    return -1;
  }

  /** The first word from `word` on that may hold a dirty page. Halves its way for who comes next. */
  #stepUp(word: number): number {
    const clean = this.#cleanUp;
    let at = word;
    for (let skip = clean[at]!; skip !== 0; skip = clean[at]!) {
      clean[at] = skip + clean[at + skip]!;
      at += skip;
    }
    return at;
  }

  #stepDown(word: number): number {
    const clean = this.#cleanDown!;
    let at = word;
    while (at >= 0 && clean[at] !== 0) {
      const skip = clean[at]!;
      if (at - skip >= 0) clean[at] = skip + clean[at - skip]!;
      at -= skip;
    }
    return at;
  }
}
