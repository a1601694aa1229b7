// The bytes of one channel in one direction of an emulated link: those that wait to leave, and those under way.
import type { Stretch } from './link-meter.ts';

/** A few bytes that leave and arrive together. */
export class Quantum {
  readonly pieces: Uint8Array[] = [];
  lengthBytes = 0;
  /** When they were there to be sent. */
  readonly handedNs: number;
  /** Called when the queue of the link has taken them. */
  onTaken: (() => void) | undefined;
  /** Called in its place in the order when it has arrived; such a quantum has no bytes. */
  readonly onArrival: (() => void) | undefined;
  /** Known once the link has taken them. */
  arrivesNs = 0;
  stretch: Stretch | undefined;

  constructor(handedNs: number, onArrival?: () => void) {
    this.handedNs = handedNs;
    this.onArrival = onArrival;
  }
}

/** Takes bytes that have arrived; returns whether it takes more at once, or `LinkDirection.resume` will be called. */
export type Deliver = (pieces: readonly Uint8Array[]) => boolean;

/** First in, first out, without moving what waits at each step. */
export class Fifo<T> {
  #items: T[] = [];
  #first = 0;

  get isEmpty(): boolean {
    return this.#first === this.#items.length;
  }

  get first(): T | undefined {
    return this.#items[this.#first];
  }

  push(item: T): void {
    this.#items.push(item);
  }

  shift(): T | undefined {
    const item = this.#items[this.#first];
    if (item === undefined) return undefined;
    this.#first += 1;
    // Half of it is spent: copying the rest costs no more than what was shifted.
    if (this.#first * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#first);
      this.#first = 0;
    }
    return item;
  }

  clear(): void {
    this.#items = [];
    this.#first = 0;
  }
}

/** One channel in one direction. */
export class LinkFlow {
  readonly waiting = new Fifo<Quantum>();
  readonly underWay = new Fifo<Quantum>();
  readonly deliver: Deliver;
  /** Since when the peer takes nothing; undefined while it does. */
  heldBackSinceNs: number | undefined;
  /** Until when the peer took nothing last: what waited cannot have left before. */
  heldBackUntilNs = 0;

  constructor(deliver: Deliver) {
    this.deliver = deliver;
  }

  /** From when on the first waiting quantum can leave as far as this channel goes; undefined if none can. */
  get readyNs(): number | undefined {
    const first = this.waiting.first;
    if (first === undefined || this.heldBackSinceNs !== undefined) return undefined;
    return Math.max(first.handedNs, this.heldBackUntilNs);
  }

  /** Forgets all that waits or is under way. */
  clear(): void {
    this.waiting.clear();
    this.underWay.clear();
  }
}

/**
 * Cuts pieces into quanta of at most `limitBytes`, in their order. Only what is longer is cut itself, so that a target
 * page and the head before it stay together where they fit in.
 */
export function cutIntoQuanta(
  pieces: readonly Uint8Array[],
  limitBytes: number,
  handedNs: number,
): Quantum[] {
  const quanta: Quantum[] = [];
  let quantum: Quantum | undefined;
  for (const piece of pieces) {
    for (let at = 0; at < piece.length; at += limitBytes) {
      const part = piece.length <= limitBytes ? piece : piece.subarray(at, at + limitBytes);
      if (quantum === undefined || quantum.lengthBytes + part.length > limitBytes) {
        quantum = new Quantum(handedNs);
        quanta.push(quantum);
      }
      quantum.pieces.push(part);
      quantum.lengthBytes += part.length;
    }
  }
  return quanta;
}
