// What a dissection is made of: a record with its place in the stream, or the error that ended it.
import { type ErrorRecord, MigrationError, toErrorRecord } from '../errors.ts';

/** The streams of a migration, as errors and dissections name them. */
export type StreamName = 'main' | 'package' | 'preempt' | 'return path';

/** `fwd`: source to destination; `ret`: back, the return path. */
export type Direction = 'fwd' | 'ret';

/** One decoded record. */
export interface DissectedRecord {
  readonly kind: 'record';
  readonly stream: StreamName;
  /** Where it begins in its stream, in bytes; inside a package, counted from the package's first byte. */
  readonly offset: number;
  /** Where its stream begins in the channel, in bytes: 0 unless it is inside a package. */
  readonly streamOffset: number;
  readonly lengthBytes: number;
  readonly name: string;
  /** The decoded fields by name. Contents of pages, device states and packages are left out. */
  readonly values: Readonly<Record<string, unknown>>;
}

/** The error at which a dissection ended. */
export interface DissectedError {
  readonly kind: 'error';
  readonly stream: StreamName;
  readonly streamOffset: number;
  readonly error: ErrorRecord;
}

/** A record or an error. */
export type DissectedEntry = DissectedRecord | DissectedError;

/** Takes a dissection. */
export interface DissectionSink {
  entry(entry: DissectedEntry): void;
  /** Bytes `input[start..end)` of the page whose PAGE record was handed over last, which go to `at` in it. A view. */
  pageBytes?(input: Uint8Array, start: number, end: number, at: number): void;
  /** The last byte of that page has come. */
  pageEnd(): void;
}

/** Where a dissector stands: what it reads, and where that begins in the channel. */
export interface DissectionPlace {
  readonly stream: StreamName;
  readonly streamOffset: number;
}

/** The entry of an error. @throws whatever is not a MigrationError: it is a bug and no finding */
export function errorEntry(error: unknown, { stream, streamOffset }: DissectionPlace): DissectedError {
  if (!(error instanceof MigrationError)) throw error;
  return { kind: 'error', stream, streamOffset, error: toErrorRecord(error) };
}
