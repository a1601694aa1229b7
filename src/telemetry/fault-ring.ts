// The last faults of one thread in shared memory, for who watches while it runs.

/** So many faults are kept: more than one thread can have in a tenth of a second. */
export const FAULT_RING_ENTRIES = 4096;
/** The count of written rows, and padding that aligns the rows. */
const HEAD_BYTES = 8;

/** Faults that were read: rows of a fault log, one behind the other. */
export interface ReadFaults {
  readonly count: number;
  readonly columns: Float64Array<ArrayBuffer>;
  /** Faults that were overwritten before anybody read them. */
  readonly lost: number;
}

/**
 * The thread that faults writes, and never waits for who reads: what is not read in time is overwritten, and the reader
 * counts it as lost. One writer, one reader.
 */
export class FaultRing {
  readonly shared: SharedArrayBuffer;
  readonly #head: Int32Array;
  readonly #rows: Float64Array;
  readonly #columnCount: number;
  /** Rows written, by the writer; rows read or lost, by the reader. Both wrap at 2^32. */
  #count = 0;

  /** A row has `columnCount` numbers. */
  constructor(columnCount: number, shared?: SharedArrayBuffer) {
    this.#columnCount = columnCount;
    this.shared = shared ?? new SharedArrayBuffer(HEAD_BYTES + FAULT_RING_ENTRIES * columnCount * 8);
    this.#head = new Int32Array(this.shared, 0, 1);
    this.#rows = new Float64Array(this.shared, HEAD_BYTES);
  }

  /** By the writer: adds the row that begins at `at`. The row first, or a reader could see it half. */
  append(columns: Float64Array, at: number): void {
    const to = (this.#count % FAULT_RING_ENTRIES) * this.#columnCount;
    for (let column = 0; column < this.#columnCount; column += 1) {
      this.#rows[to + column] = columns[at + column]!;
    }
    this.#count = (this.#count + 1) >>> 0;
    Atomics.store(this.#head, 0, this.#count | 0);
  }

  /** By the reader: takes what was written since it read last. */
  read(): ReadFaults {
    const unread = (Atomics.load(this.#head, 0) - this.#count) >>> 0;
    // The oldest row may be the one that is being written now.
    const lostBefore = Math.max(0, unread - (FAULT_RING_ENTRIES - 1));
    const first = (this.#count + lostBefore) >>> 0;
    const count = unread - lostBefore;
    const columns = new Float64Array(count * this.#columnCount);
    for (let row = 0; row < count; row += 1) {
      const from = (((first + row) >>> 0) % FAULT_RING_ENTRIES) * this.#columnCount;
      columns.set(this.#rows.subarray(from, from + this.#columnCount), row * this.#columnCount);
    }
    // Rows that the writer came round to meanwhile may be half old and half new.
    const ahead = (Atomics.load(this.#head, 0) - first) >>> 0;
    const torn = Math.min(count, Math.max(0, ahead - (FAULT_RING_ENTRIES - 1)));
    this.#count = (first + count) >>> 0;
    return {
      count: count - torn,
      columns: columns.slice(torn * this.#columnCount),
      lost: lostBefore + torn,
    };
  }
}
