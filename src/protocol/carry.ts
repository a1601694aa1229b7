// Collects a record that arrives in pieces until it stands in one contiguous array.

/** A growing array that is topped up from input to a length that the record itself asks for. */
export class Carry {
  /** The bytes so far; only the first `length` count. */
  bytes = new Uint8Array(1024);
  length = 0;

  /**
   * Takes bytes from `input[start..end)` until `wanted` are held, and returns how many it took. Room grows with
   * what has really come, so a length that a peer only announces costs nothing.
   */
  topUp(input: Uint8Array, start: number, end: number, wanted: number): number {
    const taken = Math.max(0, Math.min(wanted - this.length, end - start));
    const needed = this.length + taken;
    if (needed > this.bytes.length) {
      const grown = new Uint8Array(Math.max(needed, 2 * this.bytes.length));
      grown.set(this.bytes.subarray(0, this.length));
      this.bytes = grown;
    }
    this.bytes.set(input.subarray(start, start + taken), this.length);
    this.length = needed;
    return taken;
  }

  /** Forgets the first `count` bytes, which have been decoded. */
  drop(count: number): void {
    this.bytes.copyWithin(0, count, this.length);
    this.length -= count;
  }

  /** Hands out a copy of the bytes and starts afresh. */
  take(): Uint8Array {
    const taken = this.bytes.slice(0, this.length);
    this.length = 0;
    return taken;
  }
}
