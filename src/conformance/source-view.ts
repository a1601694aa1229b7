// What a run of a source shows: its exchange dissected, summed up, and its RAM as it was received.
import { DissectionSession } from '../analysis/dissection-session.ts';
import { type MigrationReport, MigrationSummary } from '../analysis/migration-summary.ts';
import type { TimedEntry } from '../analysis/timed-entry.ts';
import type { ErrorRecord } from '../errors.ts';
import type { DissectedError, DissectedRecord } from '../protocol/dissection-entry.ts';
import type { Profile } from '../protocol/profile.ts';
import type { Exchange } from './exchange.ts';
import { RamAsReceived } from './ram-as-received.ts';

/** A record with the connection and direction that it passed on, in the order of all that passed. */
export interface PassedRecord extends DissectedRecord {
  readonly conn: number;
  readonly dir: 'fwd' | 'ret';
  readonly tSeconds: number;
}

/** A run of a source as it is judged. */
export interface SourceView {
  /** Records of all connections and both directions, in the order in which they passed. */
  readonly records: readonly PassedRecord[];
  /** The error at which the source's stream could not be read on, that of a cut apart. */
  readonly error: ErrorRecord | undefined;
  readonly report: MigrationReport;
  readonly ramSha256: Readonly<Record<string, string>>;
  /** Bytes that the source sent on each connection. */
  readonly sentBytes: readonly number[];
  /** When the source closed each of its connections, in seconds; undefined if it did not, or only after the suite. */
  readonly closedAt: readonly (number | undefined)[];
}

const known = new WeakMap<Exchange, SourceView>();

/** The view of an exchange; made once. */
export function viewOf(exchange: Exchange, profile: Profile): SourceView {
  const made = known.get(exchange) ?? dissect(exchange, profile);
  known.set(exchange, made);
  return made;
}

function dissect({ pieces, endings }: Exchange, profile: Profile): SourceView {
  const records: PassedRecord[] = [];
  const summary = new MigrationSummary();
  const ram = new RamAsReceived();
  let error: ErrorRecord | undefined;
  const session = new DissectionSession(
    {
      entry: (timed: TimedEntry) => {
        const { conn, dir, entry, tSeconds = 0 } = timed;
        summary.entry(timed);
        if (entry.kind === 'record') {
          records.push({ ...entry, conn, dir, tSeconds });
          if (dir === 'fwd') ram.take(entry, conn);
        } else if (dir === 'fwd' && !isCut(entry)) error ??= entry.error;
      },
      pageBytes: (...args) => ram.pageBytes(...args),
      pageEnd: (conn, tSeconds) => summary.pageEnd(conn, tSeconds),
    },
    { profile },
  );
  for (const { conn, dir, bytes, tSeconds } of pieces) session.push(conn, dir, bytes, tSeconds);
  session.end();
  const totalBytes = pieces.reduce((sum, { bytes }) => sum + bytes.length, 0);
  const connCount = pieces.reduce((count, { conn }) => Math.max(count, conn + 1), 0);
  const closedAt = Array.from({ length: connCount }, (_, conn) => {
    const first = endings.find((ending) => ending.conn === conn);
    return first?.by === 'peer' ? first.tSeconds : undefined;
  });
  const sentBytes = closedAt.map((_, conn) =>
    pieces.reduce(
      (sum, piece) => sum + (piece.conn === conn && piece.dir === 'fwd' ? piece.bytes.length : 0),
      0,
    ),
  );
  const report = summary.report(totalBytes);
  return { records, error, report, ramSha256: ram.hashes(), sentBytes, closedAt };
}

/** A connection that ends early is no fault of the stream; a package that does is. */
function isCut({ error, stream }: DissectedError): boolean {
  return error.code === 'truncated' && stream !== 'package';
}

/** Records of the source on its main channel, packages included. */
export function mainRecords({ records }: SourceView): PassedRecord[] {
  return records.filter(({ dir, stream }) => dir === 'fwd' && stream !== 'preempt');
}

/** Names of records, for people. */
export function namesOf(records: readonly PassedRecord[]): string {
  return records.map(({ name }) => name).join(', ');
}

/** Index of the first record of the source with this name, or -1. */
export function firstFromSource(view: SourceView, name: string): number {
  return view.records.findIndex((record) => record.dir === 'fwd' && record.name === name);
}

/** Index of the first record that the destination said with this name, from `from` on, or -1. */
export function firstFromDestination(view: SourceView, name: string, from = 0): number {
  return view.records.findIndex(
    (record, index) => index >= from && record.dir === 'ret' && record.name === name,
  );
}

/** Whether the source has offered to negotiate: its PING "HPS1" has come. */
export function offersNegotiation({ records }: SourceView, cookie: number): boolean {
  return records.some(
    ({ dir, name, values }) => dir === 'fwd' && name === 'PING' && values['value'] === cookie,
  );
}
