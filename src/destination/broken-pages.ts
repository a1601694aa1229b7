// Host pages that are placed in pieces: counts the pieces that are there, and collapses a page when its last has come.

/** One page that became whole after the switchover. */
export interface Collapse {
  /** Number of the page, in pages of its size. */
  readonly page: number;
  /** When its last piece was there, and how long the collapse took, in ns. */
  readonly atNs: number;
  readonly costNs: number;
  /** How long it was in pieces by then: from the first piece of it that came after the switchover, in ns. */
  readonly inPiecesNs: number;
}

/** A size of page that pieces are collapsed into. */
export interface CollapseLevel {
  readonly pageBytes: number;
  /** Pieces of the level below. */
  readonly piecesPerPage: number;
  /** How long a collapse holds up the thread that places, in ns. Here it is given, for there is nothing to collapse. */
  readonly collapseNs: number;
}

/** How the pieces of a block make up its host pages. */
export interface BrokenPageOptions {
  readonly pieceCount: number;
  /** From the smallest page up to the host page; mostly that alone. */
  readonly levels: readonly [CollapseLevel, ...CollapseLevel[]];
  readonly nowNs: () => number;
}

/** The broken pages of one block, and those that are whole: of one level, with the levels above. */
export class BrokenPages {
  readonly collapses: Collapse[] = [];
  readonly #pieceCount: number;
  readonly #level: CollapseLevel;
  readonly #nowNs: () => number;
  /** Pieces that are missing, of each page. */
  readonly #missing: Uint32Array;
  /** When its first piece came after the switchover, of each page; 0 until then. */
  readonly #sinceNs: Float64Array;
  readonly #below: BrokenPages | undefined;
  /** For which a page of this level is a piece. */
  readonly #above: BrokenPages | undefined;

  constructor({ pieceCount, levels, nowNs }: BrokenPageOptions, below?: BrokenPages) {
    const [level, next, ...rest] = levels;
    this.#pieceCount = pieceCount;
    this.#level = level;
    this.#nowNs = nowNs;
    this.#below = below;
    const pageCount = Math.ceil(pieceCount / level.piecesPerPage);
    this.#missing = Uint32Array.from({ length: pageCount }, (_, page) => this.#piecesOf(page));
    this.#sinceNs = new Float64Array(pageCount);
    if (next !== undefined)
      this.#above = new BrokenPages({ pieceCount: pageCount, levels: [next, ...rest], nowNs }, this);
  }

  get pageBytes(): number {
    return this.#level.pageBytes;
  }

  /** This level and those above, up to the host pages. */
  get levels(): readonly BrokenPages[] {
    return [this, ...(this.#above?.levels ?? [])];
  }

  /** Pages of this level of which something is there, but not all. */
  get brokenCount(): number {
    return this.#missing.filter((missing, page) => missing > 0 && !this.#isEmpty(page)).length;
  }

  /**
   * A piece has become present, or whole. In precopy a page that comes whole was never broken, and so is not collapsed.
   * `sinceNs` tells since when the piece was itself in pieces.
   */
  place(piece: number, isPostcopy: boolean, sinceNs = 0): void {
    const page = this.#pageOf(piece);
    const missing = this.#missing[page]! - 1;
    this.#missing[page] = missing;
    if (isPostcopy) this.#noteSince(page, sinceNs);
    if (missing > 0) return;
    if (isPostcopy) this.#collapse(page);
    this.#above?.place(page, isPostcopy, this.#sinceNs[page]!);
  }

  /** A piece that was present is no more. */
  discard(piece: number): void {
    const page = this.#pageOf(piece);
    if (this.#missing[page] === 0) this.#above?.discard(page);
    this.#missing[page]! += 1;
  }

  /** Reads the clock for the first piece of a page only. */
  #noteSince(page: number, sinceNs: number): void {
    const before = this.#sinceNs[page]!;
    if (before === 0) this.#sinceNs[page] = sinceNs || this.#nowNs();
    else if (sinceNs > 0 && sinceNs < before) this.#sinceNs[page] = sinceNs;
  }

  #isEmpty(page: number): boolean {
    const count = this.#piecesOf(page);
    if (this.#missing[page]! < count) return false;
    const first = page * this.#level.piecesPerPage;
    for (let piece = first; piece < first + count; piece += 1) {
      if (this.#below !== undefined && !this.#below.#isEmpty(piece)) return false;
    }
    return true;
  }

  /** The last page of a block may be shorter. */
  #piecesOf(page: number): number {
    const { piecesPerPage } = this.#level;
    return Math.min(piecesPerPage, this.#pieceCount - page * piecesPerPage);
  }

  #pageOf(piece: number): number {
    return Math.floor(piece / this.#level.piecesPerPage);
  }

  #collapse(page: number): void {
    const nowNs = this.#nowNs;
    const atNs = nowNs();
    let endNs = atNs;
    // The thread is not to do anything else meanwhile, and sleeping would take longer.
    while (endNs - atNs < this.#level.collapseNs) endNs = nowNs();
    this.collapses.push({ page, atNs, costNs: endNs - atNs, inPiecesNs: atNs - this.#sinceNs[page]! });
  }
}
