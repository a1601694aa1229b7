// Host pages that are placed in pieces: counts the pieces that are there, and collapses a page when its last has come.

/** One host page that became whole after the switchover. */
export interface Collapse {
  readonly hostPage: number;
  /** When its last piece was there, and how long the collapse took, in ns. */
  readonly atNs: number;
  readonly costNs: number;
}

/** How the pieces of a block make up its host pages. */
export interface BrokenPageOptions {
  readonly pieceCount: number;
  readonly piecesPerPage: number;
  readonly nowNs: () => number;
  /** How long a collapse holds up the thread that places, in ns. Here it is given, for there is nothing to collapse. */
  readonly collapseNs: number;
}

/** The broken host pages of one block, and those that are whole. */
export class BrokenPages {
  readonly collapses: Collapse[] = [];
  readonly #options: BrokenPageOptions;
  /** Pieces that are missing, of each host page. */
  readonly #missing: Uint32Array;

  constructor(options: BrokenPageOptions) {
    this.#options = options;
    const { pieceCount, piecesPerPage } = options;
    const pageCount = Math.ceil(pieceCount / piecesPerPage);
    this.#missing = Uint32Array.from({ length: pageCount }, (_, page) => this.#piecesOf(page));
  }

  /** Host pages of which some pieces are there and others are not. */
  get brokenCount(): number {
    return this.#missing.filter((missing, page) => missing > 0 && missing < this.#piecesOf(page)).length;
  }

  /** A piece has become present. In precopy a page that comes whole was never broken, and so is not collapsed. */
  place(piece: number, isPostcopy: boolean): void {
    const hostPage = this.#pageOf(piece);
    const missing = this.#missing[hostPage]! - 1;
    this.#missing[hostPage] = missing;
    if (missing === 0 && isPostcopy) this.#collapse(hostPage);
  }

  /** A piece that was present is no more. */
  discard(piece: number): void {
    this.#missing[this.#pageOf(piece)]! += 1;
  }

  /** The last host page of a block may be shorter. */
  #piecesOf(hostPage: number): number {
    const { pieceCount, piecesPerPage } = this.#options;
    return Math.min(piecesPerPage, pieceCount - hostPage * piecesPerPage);
  }

  #pageOf(piece: number): number {
    return Math.floor(piece / this.#options.piecesPerPage);
  }

  #collapse(hostPage: number): void {
    const { nowNs, collapseNs } = this.#options;
    const atNs = nowNs();
    let endNs = atNs;
    // The thread is not to do anything else meanwhile, and sleeping would take longer.
    while (endNs - atNs < collapseNs) endNs = nowNs();
    this.collapses.push({ hostPage, atNs, costNs: endNs - atNs });
  }
}
