// What passed between the suite and a peer: the bytes of both directions with their times, and who ended what.
import type { Direction } from '../protocol/dissection-entry.ts';

/** Bytes that passed. */
export interface ExchangePiece {
  /** Number of the connection: 0 is the main channel, 1 the preempt channel. */
  readonly conn: number;
  /** `fwd`: from source to destination, whichever of them is the suite. */
  readonly dir: Direction;
  readonly bytes: Uint8Array;
  /** Seconds since the exchange began. */
  readonly tSeconds: number;
}

/** A connection was made. */
export interface ExchangeOpening {
  readonly conn: number;
  readonly tSeconds: number;
}

/** A connection, or one direction of it, came to its end. */
export interface ExchangeEnding {
  readonly conn: number;
  readonly by: 'peer' | 'suite';
  readonly tSeconds: number;
}

/** All that passed in one run. */
export interface Exchange {
  readonly openings: readonly ExchangeOpening[];
  readonly pieces: readonly ExchangePiece[];
  readonly endings: readonly ExchangeEnding[];
}

/** Writes an exchange down while it takes place. */
export class ExchangeRecorder implements Exchange {
  readonly openings: ExchangeOpening[] = [];
  readonly pieces: ExchangePiece[] = [];
  readonly endings: ExchangeEnding[] = [];
  readonly #beganMs = performance.now();

  /** Puts other pieces in the place of all there are. */
  replace(pieces: readonly ExchangePiece[]): void {
    this.pieces.splice(0, this.pieces.length);
    for (const piece of pieces) this.pieces.push(piece);
  }

  opening(conn: number): void {
    this.openings.push({ conn, tSeconds: this.#seconds() });
  }

  /** Notes bytes. They are kept, so give a copy of what is used again. */
  piece(conn: number, dir: Direction, bytes: Uint8Array): void {
    this.pieces.push({ conn, dir, bytes, tSeconds: this.#seconds() });
  }

  ending(conn: number, by: ExchangeEnding['by']): void {
    this.endings.push({ conn, by, tSeconds: this.#seconds() });
  }

  #seconds(): number {
    return (performance.now() - this.#beganMs) / 1000;
  }
}
