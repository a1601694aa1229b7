// A bitmap in shared memory: one bit per target page.

const BITS_PER_WORD = 32;
/** The wire pads a bitmap to whole 64-bit words (RECV_BITMAP), so the buffer has that length too. */
const BYTES_PER_GROUP = 8;

/** Counts the set bits of a 32-bit word. */
export function popcount(word: number): number {
  let v = word - ((word >>> 1) & 0x55555555);
  v = (v & 0x33333333) + ((v >>> 2) & 0x33333333);
  return Math.imul((v + (v >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/**
 * A bitmap of up to 2^32 bits that several threads read and change at once; every access is atomic.
 *
 * Bit i is bit i % 32 of word i / 32. `>>> 5` and `& 31` are exact for indices up to 2^32 - 1, since both read the
 * index as an unsigned 32-bit number. On a little-endian machine the buffer's bytes are those of the wire's received
 * bitmap; `littleEndianBytes` gives them on any.
 */
export class SharedBitmap {
  readonly buffer: SharedArrayBuffer;
  readonly bitCount: number;
  readonly #words: Int32Array;

  /** A bitmap with all bits clear. */
  static allocate(bitCount: number): SharedBitmap {
    const groups = Math.ceil(bitCount / (BYTES_PER_GROUP * 8));
    return new SharedBitmap(new SharedArrayBuffer(groups * BYTES_PER_GROUP), bitCount);
  }

  /** The bitmap that another thread allocated. */
  constructor(buffer: SharedArrayBuffer, bitCount: number) {
    if (!Number.isInteger(bitCount) || bitCount < 0 || bitCount > 2 ** 32) {
      throw new RangeError(`a bitmap has 0 to 2^32 bits, not ${bitCount}`);
    }
    this.buffer = buffer;
    this.bitCount = bitCount;
    this.#words = new Int32Array(buffer, 0, Math.ceil(bitCount / BITS_PER_WORD));
  }

  /** Sets bit i; true if it was clear. */
  set(i: number): boolean {
    const mask = 1 << (i & 31);
    return (Atomics.or(this.#words, i >>> 5, mask) & mask) === 0;
  }

  /** Clears bit i; true if it was set. */
  clear(i: number): boolean {
    const mask = 1 << (i & 31);
    return (Atomics.and(this.#words, i >>> 5, ~mask) & mask) !== 0;
  }

  /** Tells whether bit i is set. */
  test(i: number): boolean {
    return ((Atomics.load(this.#words, i >>> 5) >>> (i & 31)) & 1) === 1;
  }

  /** Sets `count` bits from `first` on, word by word; the range as a whole is not atomic. */
  setRange(first: number, count: number): void {
    this.#forEachWord(first, count, (word, mask) => Atomics.or(this.#words, word, mask));
  }

  /** Clears `count` bits from `first` on, word by word; the range as a whole is not atomic. */
  clearRange(first: number, count: number): void {
    this.#forEachWord(first, count, (word, mask) => Atomics.and(this.#words, word, ~mask));
  }

  /** Counts the set bits. */
  count(): number {
    return this.countRange(0, this.bitCount);
  }

  /** Counts the bits that are set here or in another bitmap of the same length. */
  countUnion(other: SharedBitmap): number {
    let total = 0;
    for (let word = 0; word < this.#words.length; word += 1)
      total += popcount(this.word(word) | other.word(word));
    return total;
  }

  /** Bits 32 * index to 32 * index + 31, the lowest first. */
  word(index: number): number {
    return Atomics.load(this.#words, index);
  }

  /** Counts the set bits among `count` bits from `first` on. */
  countRange(first: number, count: number): number {
    let total = 0;
    this.#forEachWord(first, count, (word, mask) => {
      total += popcount(Atomics.load(this.#words, word) & mask);
    });
    return total;
  }

  /** The first set bit in [from, limit), or -1. */
  nextSet(from: number, limit = this.bitCount): number {
    return this.#next(from, limit, 0);
  }

  /** The last set bit in [from, limit), or -1. */
  previousSet(limit: number, from = 0): number {
    const end = Math.min(limit, this.bitCount);
    if (from >= end) return -1;
    const firstWord = from >>> 5;
    let word = (end - 1) >>> 5;
    let bits = Atomics.load(this.#words, word) & (-1 >>> (31 - ((end - 1) & 31)));
    while (bits === 0) {
      if (word === firstWord) return -1;
      word -= 1;
      bits = Atomics.load(this.#words, word);
    }
    const found = word * BITS_PER_WORD + (31 - Math.clz32(bits));
    return found >= from ? found : -1;
  }

  /** The first clear bit in [from, limit), or -1. */
  nextClear(from: number, limit = this.bitCount): number {
    return this.#next(from, limit, -1);
  }

  /**
   * Moves the bits of `log` into this bitmap and returns how many became newly set here: QEMU's bitmap sync.
   *
   * Each word is exchanged with 0 in one step, so a bit that a vCPU sets meanwhile is either taken now or stays in the
   * log for the next sync; none is lost. `onTaken` is told of each word that held any, by its first bit.
   */
  takeFrom(log: SharedBitmap, onTaken?: (firstBit: number, bits: number) => void): number {
    if (log.bitCount !== this.bitCount) {
      throw new RangeError(`cannot sync ${log.bitCount} bits into ${this.bitCount}`);
    }
    let newlySet = 0;
    for (let word = 0; word < this.#words.length; word += 1) {
      if (Atomics.load(log.#words, word) === 0) continue;
      const taken = Atomics.exchange(log.#words, word, 0);
      newlySet += popcount(taken & ~Atomics.or(this.#words, word, taken));
      onTaken?.(word * BITS_PER_WORD, taken);
    }
    return newlySet;
  }

  /** A copy as the wire has it: bit i is bit i % 8 of byte i / 8, padded with zero bits to whole 8 bytes. */
  littleEndianBytes(): Uint8Array {
    const bytes = new Uint8Array(this.buffer.byteLength);
    const view = new DataView(bytes.buffer);
    for (let word = 0; word < this.#words.length; word += 1) {
      view.setInt32(word * 4, Atomics.load(this.#words, word), true);
    }
    return bytes;
  }

  #next(from: number, limit: number, skipped: 0 | -1): number {
    const end = Math.min(limit, this.bitCount);
    if (from >= end) return -1;
    const lastWord = (end - 1) >>> 5;
    // Bits that we look for are 1 after the exclusive or, whether they are set bits or clear ones.
    let bits = (Atomics.load(this.#words, from >>> 5) ^ skipped) & (-1 << (from & 31));
    for (let word = from >>> 5; ; ) {
      if (bits !== 0) {
        const found = word * BITS_PER_WORD + (31 - Math.clz32(bits & -bits));
        return found < end ? found : -1;
      }
      word += 1;
      if (word > lastWord) return -1;
      bits = Atomics.load(this.#words, word) ^ skipped;
    }
  }

  #forEachWord(first: number, count: number, visit: (word: number, mask: number) => void): void {
    if (first < 0 || count < 0 || first + count > this.bitCount) {
      throw new RangeError(`bits ${first}..${first + count} are outside 0..${this.bitCount}`);
    }
    const end = first + count;
    for (let bit = first; bit < end; ) {
      const inWord = bit & 31;
      const taken = Math.min(BITS_PER_WORD - inWord, end - bit);
      visit(bit >>> 5, (taken === BITS_PER_WORD ? -1 : (1 << taken) - 1) << inWord);
      bit += taken;
    }
  }
}
