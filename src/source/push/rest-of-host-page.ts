// Wraps a push strategy: after a request the rest of its host page goes first, so that no host page stays in pieces for long.
import type { DirtyLine, LineBounds } from './dirty-line.ts';
import type { PushStrategy } from './push-strategy.ts';

/** A host page at the destination of which a piece was requested. */
interface BrokenHostPage extends LineBounds {
  /** Where what goes next is looked for, before the rest: the piece that was requested last, or behind the one given last. */
  cursor: number;
  hasGiven: boolean;
}

/**
 * Finishes host pages that a request has broken, the one requested last first: its pieces upwards from that of the
 * request, and round. Without any the strategy chooses, which hears of all requests meanwhile.
 */
export class RestOfHostPage implements PushStrategy {
  /** Host pages whose rest, or some of it, went before what the strategy would have chosen. */
  hostPageCount = 0;
  readonly #line: DirtyLine;
  readonly #strategy: PushStrategy;
  readonly #pagesPerPiece: number;
  /** The one requested last at the end. At most all host pages that are placed in pieces. */
  readonly #broken: BrokenHostPage[] = [];

  /** With `pagesPerPiece` whoever sends takes larger pieces than placement pages: then that of the request goes first. */
  constructor(line: DirtyLine, strategy: PushStrategy, pagesPerPiece = 1) {
    this.#line = line;
    this.#strategy = strategy;
    this.#pagesPerPiece = pagesPerPiece;
  }

  /** Also a request whose piece was sent before counts: the guest is there, and waits for the next piece as likely. */
  requested(position: number, isSentForIt: boolean): void {
    this.#strategy.requested(position, isSentForIt);
    const { start, end } = this.#line.hostPageAt(position);
    if (this.#line.endOfUnit(position) - position >= end - start) return; // it comes as a whole
    const cursor = Math.max(start, this.#line.pieceAt(position, this.#pagesPerPiece).start);
    const index = this.#broken.findLastIndex((page) => page.start === start);
    const hasGiven = index !== -1 && this.#broken.splice(index, 1)[0]!.hasGiven;
    this.#broken.push({ start, end, cursor, hasGiven });
  }

  next(): number {
    for (let page = this.#broken.at(-1); page !== undefined; page = this.#broken.at(-1)) {
      const position = this.#nextIn(page);
      if (position !== -1) {
        if (!page.hasGiven) this.hostPageCount += 1;
        page.hasGiven = true;
        page.cursor = this.#line.endOfUnit(position);
        return position;
      }
      this.#broken.pop();
    }
    return this.#strategy.next();
  }

  #nextIn({ start, end, cursor }: BrokenHostPage): number {
    const above = this.#line.nextDirtyIn({ start: cursor, end });
    return above === -1 ? this.#line.nextDirtyIn({ start, end: cursor }) : above;
  }
}
