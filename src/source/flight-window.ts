// Bounds the background bytes under way on a channel, so that a requested page never waits behind megabytes of them.

/** PINGs of a window have these values, out of the way of QEMU's and of the negotiation's cookie; they wrap. */
export const FIRST_FLIGHT_PING = 0x100;
const VALUE_COUNT = 0x1000_0000;
/** Until something is known of the link. */
const INITIAL_BYTES = 1024 * 1024;
/** The smallest window: less would be a PING for a few pages each. */
export const LEAST_FLIGHT_BYTES = 64 * 1024;
const MOST_BYTES = 64 * 1024 * 1024;
/** A window has to last for so long beside the round trips, while a PONG waits for a thread to take it. */
const SLACK_NS = 800_000;
/** Round trips that a window covers: one to fill the link, one more because PONGs come in bunches. */
const ROUND_TRIPS = 2;
/** PINGs in a window: few enough to cost nothing, enough that the channel never runs dry between two PONGs. */
const PINGS_PER_WINDOW = 4;
/** The link's rate is the best of so many PONGs. */
const RATE_SAMPLES = 16;

interface UnansweredPing {
  readonly value: number;
  /** Bytes sent before it, and answered when it left. */
  readonly sentBytes: number;
  readonly answeredBytes: number;
  readonly sentNs: number;
}

/** Bytes that may be unanswered: a number, or `auto` for what the link needs; `unbounded` as QEMU has it. */
export type FlightLimit = number | 'auto' | 'unbounded';

/**
 * Counts what was sent and what the destination has taken. A PING among the pages is answered when all before it was
 * taken, by any destination, so the PONGs tell how much is still under way. Pure: told the time, never asks for it.
 */
export class FlightWindow {
  /** All that were measured, in their order. */
  readonly roundTripsNs: number[] = [];
  readonly #limit: FlightLimit;
  #windowBytes: number;
  #sentBytes = 0;
  #answeredBytes = 0;
  #pingedBytes = 0;
  #pingCount = 0;
  /** The shortest seen, of which the first came over a quiet link: a queue of our own making never counts. */
  #roundTripNs = Number.POSITIVE_INFINITY;
  readonly #unanswered: UnansweredPing[] = [];
  /** In bytes per ns. */
  readonly #rates: number[] = [];

  constructor(limit: FlightLimit) {
    this.#limit = limit;
    this.#windowBytes = typeof limit === 'number' ? limit : INITIAL_BYTES;
  }

  /** Bytes that may be under way. */
  get windowBytes(): number {
    return this.#limit === 'unbounded' ? Number.POSITIVE_INFINITY : this.#windowBytes;
  }

  /** Bytes to send at once, at most. */
  get batchBytes(): number {
    return Math.ceil(this.windowBytes / PINGS_PER_WINDOW);
  }

  /**
   * Whether so much is under way that the background has to wait. Never without a PING to wait for: a window that has
   * become smaller may be full of bytes that none has followed yet.
   */
  get isFull(): boolean {
    if (this.#unanswered.length === 0) return false;
    return this.#sentBytes - this.#answeredBytes >= this.windowBytes;
  }

  /** Whether it is time for a PING. */
  get isPingDue(): boolean {
    return this.#sentBytes - this.#pingedBytes >= this.batchBytes;
  }

  /** A round trip was measured, such as that of a PING before the first page; the shortest counts. */
  onRoundTrip(roundTripNs: number): void {
    this.roundTripsNs.push(roundTripNs);
    this.#roundTripNs = Math.min(this.#roundTripNs, roundTripNs);
  }

  /** Bytes leave on the channel. */
  onSent(lengthBytes: number): void {
    this.#sentBytes += lengthBytes;
  }

  /** The value of a PING that leaves now. */
  ping(nowNs: number): number {
    const value = FIRST_FLIGHT_PING + (this.#pingCount % VALUE_COUNT);
    this.#pingCount += 1;
    this.#pingedBytes = this.#sentBytes;
    this.#unanswered.push({
      value,
      sentBytes: this.#sentBytes,
      answeredBytes: this.#answeredBytes,
      sentNs: nowNs,
    });
    return value;
  }

  /**
   * A PONG has come; false if none of its PINGs was unanswered. The destination takes the channel in order, so what was
   * sent before any answered PING is there, whatever became of the PONGs before (rule S31).
   */
  onPong(value: number, nowNs: number): boolean {
    const index = this.#unanswered.findIndex((candidate) => candidate.value === value);
    if (index === -1) return false;
    const [ping] = this.#unanswered.splice(index, 1);
    const { sentBytes, answeredBytes, sentNs } = ping!;
    this.#answeredBytes = Math.max(this.#answeredBytes, sentBytes);
    const elapsedNs = nowNs - sentNs;
    if (elapsedNs <= 0) return true;
    this.onRoundTrip(elapsedNs);
    // A PING behind nothing, of a push that is paused, tells of the round trip only.
    if (sentBytes === answeredBytes) return true;
    this.#rates.push((sentBytes - answeredBytes) / elapsedNs);
    if (this.#rates.length > RATE_SAMPLES) this.#rates.shift();
    if (this.#limit === 'auto') this.#fit();
    return true;
  }

  #fit(): void {
    const wanted = Math.max(...this.#rates) * (ROUND_TRIPS * this.#roundTripNs + SLACK_NS);
    this.#windowBytes = Math.min(MOST_BYTES, Math.max(LEAST_FLIGHT_BYTES, Math.ceil(wanted)));
  }
}
