// How each host page came, for who watches: a byte per host page in shared memory.

/** How a host page came, or why it is not there. Zero is nothing yet, so fresh memory starts that way. */
export const PAGE_ORIGIN = { NONE: 0, PRECOPY: 1, PUSHED: 2, REQUESTED: 3, DISCARDED: 4 } as const;
/** One value of `PAGE_ORIGIN`. */
export type PageOrigin = (typeof PAGE_ORIGIN)[keyof typeof PAGE_ORIGIN];

/** Set once a target page came that was not sent as zero. */
const DATA_BIT = 0x80;

/**
 * Written by whoever places the page, and read by whoever watches, neither of whom waits for the other: a byte that is
 * seen a moment late is shown a moment late. Nothing but a picture depends on it, so there is no Atomics here.
 */
export class PageOrigins {
  readonly #bytes: Uint8Array;

  constructor(buffer: SharedArrayBuffer) {
    this.#bytes = new Uint8Array(buffer);
  }

  /** A target page with bytes of its own came. */
  noteData(hostPage: number): void {
    this.#bytes[hostPage]! |= DATA_BIT;
  }

  /** The host page is whole. */
  note(hostPage: number, origin: PageOrigin): void {
    this.#bytes[hostPage] = (this.#bytes[hostPage]! & DATA_BIT) | origin;
  }

  /** The source took it back. */
  noteDiscard(firstHostPage: number, hostPageCount: number): void {
    this.#bytes.fill(PAGE_ORIGIN.DISCARDED, firstHostPage, firstHostPage + hostPageCount);
  }

  /** How it came. */
  origin(hostPage: number): PageOrigin {
    return (this.#bytes[hostPage]! & ~DATA_BIT) as PageOrigin;
  }

  /** Whether all that came of it was sent as zero pages. */
  isZero(hostPage: number): boolean {
    return (this.#bytes[hostPage]! & DATA_BIT) === 0;
  }
}
