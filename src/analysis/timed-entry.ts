// An entry of a dissection with the connection and the time at which it passed.
import type { Direction, DissectedEntry } from '../protocol/dissection-entry.ts';

/** A record or an error on one direction of one connection. */
export interface TimedEntry {
  /** Seconds since the first byte of the recording, when the bytes came with which it could be decoded. */
  readonly tSeconds: number | undefined;
  readonly conn: number;
  readonly dir: Direction;
  readonly entry: DissectedEntry;
}

/** Takes all that a migration's connections carried. */
export interface TimedSink {
  entry(timed: TimedEntry): void;
  /** Bytes `input[start..end)` of the page that a connection began last, which go to `at` in it. A view. */
  pageBytes?(conn: number, input: Uint8Array, start: number, end: number, at: number): void;
  /** The last byte of that page has come. */
  pageEnd(conn: number, tSeconds: number | undefined): void;
}

/** Offset of an entry in its channel, in bytes. */
export function channelOffset(entry: DissectedEntry): number {
  const offset = entry.kind === 'error' ? (entry.error.offset ?? 0) : entry.offset;
  return entry.streamOffset + offset;
}
