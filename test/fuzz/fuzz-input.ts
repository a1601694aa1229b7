// A fuzz case as bytes: options, a schedule of events, and two streams. Every run of bytes is a case.
import { joinBytes } from '../../src/protocol/message.ts';

/** Something that happens at a place of a case; each target says what the kinds and values mean. */
export interface FuzzEvent {
  readonly kind: number;
  /** 0 to 2^24 - 1. */
  readonly value: number;
}

/** One case. */
export interface FuzzInput {
  /** Sixteen bits; each target says what they choose. */
  readonly options: number;
  /** Seed of the second run's cuts, 0 to 255. */
  readonly splitSeed: number;
  readonly events: readonly FuzzEvent[];
  /** The first and the second stream of bytes that the code under test is fed. */
  readonly streams: readonly [Uint8Array, Uint8Array];
}

const MAX_EVENTS = 255;
const EVENT_BYTES = 4;

/** The case as bytes: u16 options, u8 split seed, u8 n, n x (u8 kind, u24 value), u32 length, first stream, second. */
export function encodeInput({ options, splitSeed, events, streams }: FuzzInput): Uint8Array {
  const [first, second] = streams;
  const listed = events.slice(0, MAX_EVENTS);
  return joinBytes([
    Uint8Array.of(options >> 8, options, splitSeed, listed.length),
    ...listed.map(({ kind, value }) => Uint8Array.of(kind, value >> 16, value >> 8, value)),
    Uint8Array.of(first.length >>> 24, first.length >> 16, first.length >> 8, first.length),
    first,
    second,
  ]);
}

/** The case that any bytes stand for: what is missing reads as zero, and the first stream may be cut short. */
export function decodeInput(bytes: Uint8Array): FuzzInput {
  const at = (index: number): number => bytes[index] ?? 0;
  const eventCount = Math.min(at(3), Math.floor(Math.max(0, bytes.length - 4) / EVENT_BYTES));
  const events = Array.from({ length: eventCount }, (_, index) => {
    const event = 4 + EVENT_BYTES * index;
    return { kind: at(event), value: at(event + 1) * 65_536 + at(event + 2) * 256 + at(event + 3) };
  });
  const head = 4 + EVENT_BYTES * eventCount;
  const length = ((at(head) << 24) | (at(head + 1) << 16) | (at(head + 2) << 8) | at(head + 3)) >>> 0;
  const first = bytes.slice(head + 4, head + 4 + length);
  return {
    options: at(0) * 256 + at(1),
    splitSeed: at(2),
    events,
    streams: [first, bytes.slice(head + 4 + first.length)],
  };
}

/** Small integers in an order that only the seed decides. */
export function numbersFrom(seed: number): (below: number) => number {
  let state = (seed * 0x9e3779b1 + 0x6d2b79f5) >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** Short streams are sometimes fed byte by byte; of long ones only stretches are, for the time that it takes. */
const BYTEWISE_LIMIT_BYTES = 2048;

/** Cuts `start..end` into pieces as the seed has it: whole, byte by byte, or of lengths of all magnitudes. */
export function cutPieces(start: number, end: number, seed: number): number[] {
  const next = numbersFrom(seed);
  if (seed % 4 === 1 && end - start <= BYTEWISE_LIMIT_BYTES) {
    return Array.from({ length: end - start }, (_, index) => start + index + 1);
  }
  const ends: number[] = [];
  for (let at = start; at < end; ) {
    at = Math.min(end, at + 1 + next(2 ** (1 + next(14))));
    ends.push(at);
  }
  return ends;
}
