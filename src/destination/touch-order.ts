// Orders in which all host pages of a guest can be touched, each once.
import { mix32 } from '../machine/mix32.ts';

/** Orders by their names. */
export const TOUCH_ORDERS = ['ascending', 'descending', 'random'] as const;
/** Name of an order. */
export type TouchOrder = (typeof TOUCH_ORDERS)[number];

/** How to touch pages. */
export interface Touch {
  readonly order: TouchOrder;
  /** Seed of the random order, of 32 bits; the others take no notice of it. */
  readonly seed: number;
}

/** So many that no order is left to be seen; each is one-to-one, and so are all together. */
const ROUNDS = 4;

/** Every index below `count` once. `count` is at most 2^32. */
export function* touchIndices({ order, seed }: Touch, count: number): Generator<number, void, void> {
  if (order === 'random') yield* shuffled(count, seed);
  else
    for (let index = 0; index < count; index += 1) {
      yield order === 'ascending' ? index : count - 1 - index;
    }
}

/**
 * A shuffle without a list of what was shuffled, which could not be held for terabytes: numbers of as many bits as `count`
 * needs are mapped one-to-one to numbers of as many bits, and of these at most half are too large and left out.
 */
function* shuffled(count: number, seed: number): Generator<number, void, void> {
  const bits = 32 - Math.clz32(count - 1);
  const mask = 2 ** bits - 1;
  const half = Math.ceil(bits / 2);
  // To multiply by an odd number is one-to-one below any power of two; to add, and to fold the upper half in, is too.
  const keys = Array.from({ length: ROUNDS }, (_, round) => {
    const factor = mix32(seed ^ mix32(2 * round + 1)) | 1;
    return { factor, addend: mix32(factor + round) };
  });
  for (let index = 0; index <= mask; index += 1) {
    let at = index;
    for (const { factor, addend } of keys) {
      at = ((Math.imul(at, factor) + addend) & mask) >>> 0;
      at = (at ^ (at >>> half)) >>> 0;
    }
    if (at < count) yield at;
  }
}
