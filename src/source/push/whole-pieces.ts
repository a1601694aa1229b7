// Wraps a push strategy: what it chooses is sent in whole aligned pieces of a size given, such as 2 MiB.
import type { DirtyLine } from './dirty-line.ts';
import type { PushStrategy } from './push-strategy.ts';

interface PieceUnderWay {
  /** All of it before was sent. */
  start: number;
  readonly end: number;
  isInterrupted: boolean;
}

/**
 * A piece that has been begun is finished, from its first missing placement page to its last, before the strategy is asked
 * again. A request goes between, for it never waits for more than the placement page under way.
 */
export class WholePieces implements PushStrategy {
  /** Pieces begun, and those of them that a request interrupted. */
  pieceCount = 0;
  interruptedCount = 0;
  readonly #line: DirtyLine;
  readonly #strategy: PushStrategy;
  readonly #pagesPerPiece: number;
  #piece: PieceUnderWay | undefined;

  constructor(line: DirtyLine, strategy: PushStrategy, pagesPerPiece: number) {
    this.#line = line;
    this.#strategy = strategy;
    this.#pagesPerPiece = pagesPerPiece;
  }

  requested(position: number, isSentForIt: boolean): void {
    this.#strategy.requested(position, isSentForIt);
    const piece = this.#piece;
    if (!isSentForIt || piece === undefined || piece.isInterrupted) return;
    if (this.#nextIn(piece) === -1) return;
    piece.isInterrupted = true;
    this.interruptedCount += 1;
  }

  next(): number {
    const goesOn = this.#piece === undefined ? -1 : this.#nextIn(this.#piece);
    if (goesOn !== -1) return goesOn;
    const chosen = this.#strategy.next();
    if (chosen === -1) return -1;
    this.#piece = { ...this.#line.pieceAt(chosen, this.#pagesPerPiece), isInterrupted: false };
    this.pieceCount += 1;
    return this.#nextIn(this.#piece);
  }

  /** Pages only become clean, so the first dirty one only moves on. */
  #nextIn(piece: PieceUnderWay): number {
    const position = this.#line.nextDirtyIn(piece);
    piece.start = position === -1 ? piece.end : position;
    return position;
  }
}
