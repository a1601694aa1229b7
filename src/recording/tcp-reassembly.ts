// Puts the segments of one direction of a TCP connection in the order of their sequence numbers.

/** Bytes that wait for a segment before them. With more, that one is taken for lost to the capture. */
export const PENDING_LIMIT_BYTES = 64 * 2 ** 20;

const TWO_31 = 0x8000_0000;
const TWO_32 = 0x1_0000_0000;

/** How far `sequence` is ahead of `from`, around the end of 32 bits; negative if it is behind. */
function ahead(sequence: number, from: number): number {
  const distance = (sequence - from + TWO_32) % TWO_32;
  return distance < TWO_31 ? distance : distance - TWO_32;
}

interface PendingSegment {
  /** Offset in the stream, in bytes. */
  readonly offset: number;
  readonly payload: Uint8Array;
}

/** One direction of a connection. */
export class TcpReassembly {
  /** Bytes that came again and were dropped. */
  repeatedBytes = 0;
  readonly #deliver: (bytes: Uint8Array) => void;
  #nextSequence: number | undefined;
  #nextOffset = 0;
  #pending: PendingSegment[] = [];
  #pendingBytes = 0;

  /** `deliver` takes the bytes in order: views that are valid during the call. */
  constructor(deliver: (bytes: Uint8Array) => void) {
    this.#deliver = deliver;
  }

  /** Bytes handed over so far. */
  get deliveredBytes(): number {
    return this.#nextOffset;
  }

  /** Bytes between what was handed over and what waits; 0 if nothing waits. */
  get missingBytes(): number {
    return this.#pending.length === 0 ? 0 : this.#pending[0]!.offset - this.#nextOffset;
  }

  /** Whether so much waits for what is missing that it will not come any more. */
  get isStuck(): boolean {
    return this.#pendingBytes > PENDING_LIMIT_BYTES;
  }

  /** Notes where the numbers begin: behind SYN. */
  begin(sequence: number): void {
    this.#nextSequence ??= (sequence + 1) % TWO_32;
  }

  /** Takes a segment; the first one without a SYN before it is the beginning. */
  push(sequence: number, payload: Uint8Array): void {
    this.#nextSequence ??= sequence;
    const distance = ahead(sequence, this.#nextSequence);
    if (distance > 0) this.#hold(this.#nextOffset + distance, payload);
    else if (payload.length + distance > 0) {
      this.repeatedBytes -= distance;
      this.#advance(payload.subarray(-distance));
      this.#deliverPending();
    } else this.repeatedBytes += payload.length;
  }

  #advance(bytes: Uint8Array): void {
    this.#nextSequence = (this.#nextSequence! + bytes.length) % TWO_32;
    this.#nextOffset += bytes.length;
    this.#deliver(bytes);
  }

  #hold(offset: number, payload: Uint8Array): void {
    let at = this.#pending.length;
    while (at > 0 && this.#pending[at - 1]!.offset > offset) at -= 1;
    this.#pending.splice(at, 0, { offset, payload: payload.slice() });
    this.#pendingBytes += payload.length;
  }

  #deliverPending(): void {
    let count = 0;
    for (const { offset, payload } of this.#pending) {
      if (offset > this.#nextOffset) break;
      count += 1;
      this.#pendingBytes -= payload.length;
      const known = Math.min(payload.length, this.#nextOffset - offset);
      this.repeatedBytes += known;
      if (known < payload.length) this.#advance(payload.subarray(known));
    }
    this.#pending = count === this.#pending.length ? [] : this.#pending.slice(count);
  }
}
